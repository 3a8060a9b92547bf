# The manuals say what the program does: every setting, route, command, log event and error code stands in its page with
# what the program's own tables say of it, no page names one that is not there, and mandoc has nothing to complain of.
use lib 't/lib';
use Exedra::Test;

need('mandoc');
my @pages = sort glob 'man/*.[1-9]';
my %text = map { $_ => slurp($_) } @pages;

# What a program of ours prints.
sub says {
    my ($name, @args) = @_;
    my $ran = run([program($name) // BAIL_OUT("no $name in " . build_dir()), @args]);
    is $ran->{status}, 0, "$name @args" or BAIL_OUT($ran->{err});
    return $ran->{out};
}

# One section of a page, or all from one section to another, without the heads.
sub section {
    my ($page, $title) = @_;
    return $text{$page} =~ /^\.Sh \Q$title\E\n(.*?)(?=^\.Sh |\z)/ms ? $1 : BAIL_OUT("$page has no section $title");
}

# The words of all `.It Sy` of a text.
sub items {
    my ($text) = @_;
    return map { split / , /, $_ } $text =~ /^\.It Sy (.+)$/mg;
}

# Two sets are equal; says what is missing and what is too much.
sub same_set {
    my ($manual, $program, $what) = @_;
    my %in_manual = map { $_ => 1 } @$manual;
    my %in_program = map { $_ => 1 } @$program;
    is_deeply [grep { !$in_manual{$_} } sort keys %in_program], [], "$what: none is missing";
    is_deeply [grep { !$in_program{$_} } sort keys %in_manual], [], "$what: none is too much";
}

# A page as plain text, a paragraph a line.
sub rendered {
    my ($page) = @_;
    my $ran = run(['mandoc', qw(-T utf8 -O width=1000), $page]);
    (my $text = $ran->{out}) =~ s/.\x08//g;
    return $text;
}

subtest 'mandoc' => sub {
    ok @pages >= 5, scalar(@pages) . ' pages';
    for my $page (@pages) {
        my $ran = run([qw(mandoc -T lint -W warning), $page]);
        is $ran->{out} . $ran->{err}, '', $page;
    }
    my ($makefile) = slurp('Makefile.am') =~ /^dist_man_MANS = ((?:.*\\\n)*.*)$/m or return fail('Makefile.am has no dist_man_MANS');
    is_deeply [sort grep { /\// } split /[\s\\]+/, $makefile], \@pages, 'all are installed';
};

subtest 'references' => sub {
    my %there = map { m{man/(.+)\.(\d)$} ? ("$1 $2" => 1) : () } @pages;
    for my $page (@pages) {
        is_deeply [grep { !$there{$_} } $text{$page} =~ /^\.Xr (exedra\S* \d)/mg], [], "$page refers to pages that are there";
        my %own = map { $_ => 1 } $text{$page} =~ /^\.S[hs] (.+)$/mg;
        is_deeply [grep { !$own{$_} } $text{$page} =~ /^\.Sx (.+?)(?: [.,;:])?$/mg], ($page =~ /conf\.5$/ ? ['Limits of the system'] : []),
            'and to sections that are';
    }
    like $text{'man/exedra.8'}, qr/^\.Ss Limits of the system$/m, 'one of them in another page';
};

# ---- settings ----

my @settings = map { my %s; @s{qw(name kind preset text)} = split /\t/, $_, -1; \%s } split /\n/, says('exedra', '--settings');

# The bounds that the program itself tells for a number.
sub bounds {
    my ($name) = @_;
    (my $variable = 'EXEDRA_SET_' . uc $name) =~ tr/./_/;
    my $ran = run([program('exedra'), '-t', '-c', '/dev/null'], env => { $variable => -1 });
    return $ran->{err} =~ /from (\d+) to (\d+)/ ? " from $1 to $2" : '';
}

subtest 'settings' => sub {
    my $page = 'man/exedra.conf.5';
    my %kind = (text => 'Text', number => 'Number', octal => 'Octal', 'on/off' => 'On or off', level => 'Level', encoding => 'Encoding');
    my $plain = rendered($page);
    same_set([section($page, 'SETTINGS') =~ /^\.It Ic (\S+)$/mg], [map { $_->{name} } @settings], 'settings');
    for my $setting (@settings) {
        my $kind = ($kind{$setting->{kind}} // $setting->{kind}) . ($setting->{kind} eq 'number' ? bounds($setting->{name}) : '');
        (my $preset = $setting->{preset}) =~ s{^/\S+/(?=(?:secret\.key|exedra-extract)$)}{};       # that directory is configure's
        my $expected = "$kind, " . ($preset eq '' ? 'not set' : "default $preset");
        my ($said) = $plain =~ /^ +\Q$setting->{name}\E\s+(\Q$expected\E)(?:\.\s| in )/m;
        is $said, $expected, $setting->{name};
    }
};

subtest 'settings that are named' => sub {
    my %setting = map { $_->{name} => 1 } @settings;
    my %variable = map { my $v = uc $_->{name}; $v =~ tr/./_/; ($v => 1) } @settings;
    for my $page (@pages, 'README.md') {
        my $text = $text{$page} // slurp($page);
        is_deeply [grep { !$setting{$_} } map { /\bIc ([a-z][a-z.]*[a-z])\b/g } split /\n/, $text], [], "$page: they are there";
        is_deeply [grep { !$variable{$_} } $text =~ /EXEDRA_SET_([A-Z][A-Z_]*[A-Z])/g], [], "$page: and so are variables";
    }
};

# ---- routes ----

my @routes = routes();

subtest 'routes' => sub {
    my @manual = section('man/exedra-api.7', 'ROUTES') =~ /^\.It (Ic [A-Z]+ Pa \S+\nRole: \S+\nGroup: \S+\nNeeds: \S+\nErrors: \S+)$/mg;
    same_set(\@manual, [map { "Ic $_->{method} Pa $_->{pattern}\nRole: $_->{role}.\nGroup: $_->{group}.\nNeeds: $_->{needs}.\nErrors: $_->{form}." } @routes],
        'routes, each with role, group, needs and form');
    my %form = map { $_->{form} => 1 } @routes;
    same_set([items(section('man/exedra-api.7', 'FAILURES'))], [keys %form], 'forms');
};

# Is it a route, or the beginning of one?
sub leads_somewhere {
    my ($path) = @_;
    $path =~ s{^/api(?=/)}{};
    my @asked = grep { $_ ne '' } split m{/}, $path;
    for my $route (@routes) {
        my @pattern = grep { $_ ne '' } split m{/}, $route->{pattern};
        next if @asked > @pattern;
        return 1 if !grep { $pattern[$_] !~ /^\{/ && $pattern[$_] ne $asked[$_] } 0 .. $#asked;
    }
    return 0;
}

subtest 'routes that are named' => sub {
    for my $page (@pages, 'README.md') {
        my $text = $text{$page} // slurp($page);
        is_deeply [grep { !leads_somewhere($_) } $text =~ m{(/v1/[\w{}.\$/-]*[\w\}])}g], [], "$page: they are there";
    }
};

# ---- commands ----

subtest 'commands' => sub {
    my $help = says('exedractl', '--help');
    my @commands = map { /^(init|upgrade)\b/ ? $1 : /^([a-z]+ [a-z]+)\b/ ? $1 : () } $help =~ /^  (\S.*)$/mg;
    ok @commands > 10, scalar(@commands) . ' commands';
    my @manual = map { s/ (?:Ar|Op|Oo|Fl)\b.*//r } $text{'man/exedractl.1'} =~ /^\.It Cm (.+)$/mg;
    same_set(\@manual, \@commands, 'commands');
    is_deeply [grep { $text{'man/exedractl.1'} !~ /\bFl -\Q$_\E\b/ } $help =~ /--([a-z][a-z-]*)/g], [], 'its options';
    is_deeply [grep { $text{'man/exedra.8'} !~ /\bFl -\Q$_\E\b/ } says('exedra', '--help') =~ /--([a-z][a-z-]*)/g], [], "exedra's";
};

# ---- events and codes, from the source ----

my %source = map { $_ => slurp($_) } glob 'src/*/*.c src/*/*/*.c';

# The third argument of all calls of these functions: literals as they are, anything else as `file: text`.
sub third_arguments {
    my ($functions) = @_;
    my %found;
    for my $file (sort keys %source) {
        while ($source{$file} =~ /\b(?:$functions)\(\s*[^,;()]*(?:\([^()]*\)[^,;()]*)*,\s*[^,;]+,\s*(?:"(\w+)"|([^,;]+)),/g) {
            $found{defined $1 ? $1 : "$file: $2"} = 1;
        }
    }
    return keys %found;
}

# What the database's errors are called, and those of our own functions.
my ($meanings) = $source{'src/store/sqlstate.c'} =~ /\bmeanings\[\] = \{(.*?)\n\};/s;
my ($ours) = $source{'src/store/sqlstate.c'} =~ /\bours\[\] = \{(.*?)\n\};/s;
my @database = $meanings =~ /\{"\w*", \d+, "(\w+)"/g;
my @functions = ($ours =~ /\{"(\w+)"/g, $source{'src/store/sqlstate.c'} =~ /\{"(limit_\w+)"/g);

# Codes that are chosen at run time; this test knows from what.
my %known = map { $_ => 1 } 'src/store/sqlstate.c: primary', 'src/store/sqlstate.c: meaning->code', 'src/store/sqlstate.c: ours[i].code', 'src/store/sqlstate.c: limits[i].code',
    (map { "src/llm/asking.c: $_" } map { "kind->codes.$_" } qw(unreachable forbidden timeout cut refused model busy unavailable error)), 'src/llm/asking.c: asking->kind->codes.invalid',
    'src/base/json.c: fault.code', 'src/web/upload.c: fault->code', 'src/core/extract.c: code', 'src/core/ingest.c: batch.failure.code', 'src/base/log.c: const char *event', 'src/base/task.c: const char *code';

subtest 'log events' => sub {
    my @called = third_arguments('log_event');
    is_deeply [sort grep { /:/ && !$known{$_} } @called], [], 'each is a literal, or known to this test';
    my @raised = map { slurp($_) =~ /RAISE EXCEPTION '(\w+)'\s+USING ERRCODE = 'EX503'/g } glob 'sql/function/*.sql';
    same_set([items(section('man/exedra.8', 'LOG'))], [(grep { !/:/ } @called), @database, @raised], 'events');
};

subtest 'error codes' => sub {
    my @called = third_arguments('fail|fail_field');
    is_deeply [sort grep { /:/ && !$known{$_} } @called], [], 'each is a literal, or known to this test';
    my @memory = $source{'src/base/task.c'} =~ /\.code = "(\w+)"/g; # without fail(), which needs some
    my @json = $source{'src/base/json.c'} =~ /"(json_\w+)"/g;
    my @form = grep { $_ ne 'multipart_type' } $source{'src/web/multipart.c'} =~ /"(multipart_\w+)"/g;
    my @ends = slurp('src/llm/asking.h') =~ /\bname "(_\w+)"/g;
    my @asked = map { my $kind = $_; map { "$kind$_" } @ends } map { /ASKING_CODES\("(\w+)"\)/g } values %source;
    my ($file) = $source{'src/core/extract.c'} =~ /\bknown\[\] = \{(.*?)\};/s;
    my @file = $file =~ /"(\w+)"/g;
    same_set([items(section('man/exedra-api.7', 'ERROR CODES'))], [(grep { !/:/ } @called), @database, @functions, @json, @form, @file, @asked, @memory], 'codes');
    my ($public) = $source{'src/web/form.c'} =~ /names\[\]\[2\] = \{(.*?)\};/s;
    my @public = $public =~ /\{"\w+", "(\w+)"\}/g;
    ok @public > 0, 'names that OpenAI has for some';
    is_deeply [grep { section('man/exedra-api.7', 'ERROR CODES') !~ /^\.Sy \Q$_\E\b/m } @public], [], 'are told too';
};

done_testing;
