# The programs' command lines: what they print, what they refuse, and with which status.
use lib 't/lib';
use Exedra::Test;
use Cwd ();

my ($exedra, $exedractl) = map { program($_) // BAIL_OUT("no $_ in " . build_dir()) } qw(exedra exedractl);
my $dir = tmp_dir();

# Runs exedra -t on a configuration of these lines.
sub check {
    my ($text, %env) = @_;
    return run([$exedra, '-t', '-c', spew("$dir/exedra.conf", $text)], env => \%env);
}

subtest 'version and usage' => sub {
    for my $program ($exedra, $exedractl) {
        my $got = run([$program, '--version']);
        is $got->{status}, 0, "$program --version";
        like $got->{out}, qr/^\w+ \d+\.\d+\S*\n/, 'a name and a number';
        $got = run([$program, '--nonsense']);
        is $got->{status}, 2, "$program --nonsense is a usage error";
        like $got->{err}, qr/usage|--nonsense/i, 'that it explains';
        is $got->{out}, '', 'on stderr';
    }
    is run([$exedractl])->{status}, 2, 'exedractl needs a command';
    is run([$exedractl, 'juggle'])->{status}, 2, 'that it knows';
    is run([$exedractl, 'tenant', 'create'])->{status}, 2, 'with its operands';
    is run([$exedra, 'operand'])->{status}, 2, 'exedra takes no operands';
};

# Under CGI a query without `=` is handed over as words of the command line too: what a client writes is no option.
subtest 'words of a query' => sub {
    my $ask = sub {
        my ($query, @words) = @_;
        my $settings = 'db.url = host=' . Cwd::abs_path($dir) . "\nlisten = nowhere\n";
        return cgi([$exedra, @words], { %{ cgi_variables(POST => "/livez?$query", body => $settings) }, EXEDRA_SET_DB_URL => undef }, $settings);
    };
    for (['-c+/dev/stdin', '-c', '/dev/stdin'], ['--settings', '--settings'], ['-v', '-v'], ['%2dt', '-t'], ['now+-v', 'now', '-v'], ['%20-v', ' -v']) {
        my ($query, @words) = @$_;
        my $got = $ask->($query, @words);
        is $got->{status}, 400, "$query: an answer, that refuses it";
        like $got->{json}{error}, qr/options/, '… and says why';
        is $got->{err}, '', '… and nothing is done';
    }
    is $ask->('a-b', 'a-b')->{status}, 405, 'words that are no options do nothing';
    is $ask->('x=-v')->{status}, 405, 'nor does a query with =';
};

# A key that is made with --workspace, which is the embedder's, would see all workspaces.
subtest 'options of another command' => sub {
    for (['workspace', qw(key create acme --workspace room)], ['role', qw(key create acme --role default)], ['account', qw(tenant suspend acme --account ada)],
        ['workspaces', qw(embedder set acme openai --workspaces room)], ['tenant', qw(work --tenant acme)], ['read-only', qw(account create acme ada --read-only)],
        ['since', qw(export --tenant acme --since yesterday)], ['runtime-role', qw(tenant list --runtime-role exedra)], ['label', qw(init --label x)]) {
        my ($option, @words) = @$_;
        my $got = run([$exedractl, '-d', "host=$dir", @words]);
        is $got->{status}, 2, "@words: a usage error";
        like $got->{err}, qr/\Aexedractl: --$option is not for this command\.\nusage: exedractl $words[0]\b/, '… that names the option';
    }
    my $got = run([$exedractl, '-d', "host=$dir", qw(key create acme --cidr 10.0.0.0/8 --cidr 192.0.2.0/24)]);
    is $got->{status}, 2, 'an option twice';
    is $got->{err}, "exedractl: --cidr is given twice.\n", '… of which one would be dropped';
    for ([qw(audit x)], [qw(init x)], [qw(export)], [qw(provider set acme own)], [qw(tenant list acme)]) {
        my ($first) = @$_;
        like run([$exedractl, '-d', "host=$dir", @$_])->{err}, qr/\Ausage: exedractl ${first}(?: [^\n]*)?[^ \n]\n\z/, "@$_: how it is written, in a line";
    }
};

subtest 'routes' => sub {
    my @routes = routes();
    ok @routes > 10, scalar(@routes) . ' routes';
    my @odd = grep { $_->{method} !~ /^[A-Z]+$/ || $_->{pattern} !~ m{^/} || ($_->{role} // '') eq '' || ($_->{text} // '') eq '' } @routes;
    is_deeply \@odd, [], 'each with method, pattern, role and description';
    my %seen;
    is_deeply [grep { $seen{"$_->{method} $_->{pattern}"}++ } @routes], [], 'none twice';
    ok $seen{'GET /v1/auth'}, 'GET /v1/auth among them';
};

subtest 'good configurations' => sub {
    is check('')->{status}, 0, 'an empty one';
    my $got = check("# all of it\n\nlisten = $dir/sock\n  processes=3  \nsocket.mode = 0600\ndb.prepare = off\nlog.level = debug\n");
    is $got->{status}, 0, 'a full one' or diag $got->{err};
    like $got->{out}, qr/\Q$dir\E\/exedra\.conf/, '… which is named';
    $got = check("db.url = exedra\nllm.url = http://[::1]:11434/v1/\nembed.url =\nllm.provider = ours\noutbound.ports = 80  8080 443\nrerank.provider = openai\n");
    is $got->{status}, 0, 'a name alone, an address without a name, nothing' or diag $got->{err};
    is check("\xEF\xBB\xBFprocesses = 3\r\nthreads = 100")->{status}, 0, 'as an editor of another system leaves it';
    is check("cors.origins = $_\noutbound.allow = 10.0.0.0/8 192.0.2.7 ::1 fd00::/8 0.0.0.0/0\n")->{status}, 0, "lists: $_" for '*', '', 'https://a.test  http://b.test:8080 null';
    is check('', EXEDRA_SET_DB_POOL => 2, EXEDRA_SET_SOCKET_MODE => '0666')->{status}, 0, 'the environment';
    is check('processes = many', EXEDRA_SET_PROCESSES => 2)->{status}, 1, 'it does not heal the file';
};

subtest 'bad configurations' => sub {
    my @bad = (
        ['an unknown setting is named',  "proceses = 3\n",                qr/proceses/],
        ['and so is its line',           "# x\n\nproceses = 3\n",         qr/exedra\.conf\D+3/],
        ['a line without =',             "processes 3\n",                 qr/exedra\.conf\D+1/],
        ['not a number',                 "processes = many\n",            qr/processes/],
        ['a number with a tail',         "processes = 3x\n",              qr/processes/],
        ['no number',                    "threads =\n",                   qr/threads/],
        ['negative',                     "db.pool = -1\n",                qr/db\.pool/],
        ['out of range',                 "threads = 99999999999999\n",    qr/threads/],
        ['drain under 10 s',             "drain = 1\n",                   qr/drain/],
        ['not octal',                    "socket.mode = 0689\n",          qr/socket\.mode/],
        ['neither on nor off',           "db.prepare = perhaps\n",        qr/db\.prepare/],
        ['no such level',                "log.level = loud\n",            qr/log\.level/],
        ['a line of 10,000 bytes',       'llm.url = ' . 'x' x 10000 . "\n", qr/exedra\.conf\D+1/],
        ['a port for all addresses',     "listen = 0.0.0.0:9000\n",       qr/listen/],
        (map { ["no URL: $_->[0]",       "\nllm.url = $_->[1]\n",         qr/exedra\.conf:2: llm\.url/] }
            ['no scheme', 'api.example/v1'], ['another', 'ftp://api.example/v1'], ['no host', 'http://:80/v1'], ['a port', 'http://api.example:99999/v1'], ['words', 'no url at all']),
        (map { ["no URL: $_",            "$_ = host:11434\n",             qr/exedra\.conf:1: \Q$_\E/] } qw(embed.url transcribe.url rerank.url)),
        (map { ["no list of ports: $_",  "outbound.ports = $_\n",         qr/exedra\.conf:1: outbound\.ports/] } '80,443', '80 https', '0', '65536', '443 8o'),
        (map { ["no known service: $_",  "$_ = somebody\n",               qr/\Q$_\E: somebody/] } qw(llm.provider embed.provider transcribe.provider rerank.provider)),
        (map { ["no network: $_",        "outbound.allow = 192.0.2.1 $_\n", qr/^exedra: outbound\.allow: /] } '10.0.0.0/', '10.0.0.0/ 8', '10.0.0.0/x', '10.0.0.0/8,192.0.2.0/24',
            '10.0.0.0/-1', '10.0.0.0/33', '10.0.0.0/255.0.0.0', "10.0.0.0/8\t192.0.2.0/24", 'fd00::/129', 'host.test'),
        (map { ["no origin: $_",         "cors.origins = $_\n",           qr/^exedra: cors\.origins: /] } 'https://a.test/', 'https://a.test, https://b.test', 'a.test', '* https://a.test', 'https://*.test'),
        (map { ["no path: $_",           "$_ =\n",                        qr/^exedra: \Q$_\E: there is no path/] } qw(secret.file extract.program)),
        ['a line with a zero byte',      "processes = 3\0\n",             qr/exedra\.conf:1: the line is no text/],
        ['what libpq does not take',     "db.url = host=/run dbname\n",   qr/db\.url/],
        ['nor as a URI',                 "db.url = postgresql://[x/y\n",  qr/db\.url/],
    );
    for my $case (@bad) {
        my ($what, $text, $message) = @$case;
        my $got = check($text);
        is $got->{status}, 1, $what;
        like $got->{err}, $message, '… and says so';
    }
    my $got = check('', EXEDRA_SET_PROCESES => 3);
    is $got->{status}, 1, 'an unknown variable EXEDRA_SET_';
    like $got->{err}, qr/EXEDRA_SET_PROCESES/, '… is named';
    $got = check('', EXEDRA_SET_PROCESSES => 'many');
    is $got->{status}, 1, 'a bad value in the environment';
    like $got->{err}, qr/EXEDRA_SET_PROCESSES/, '… is named';
    $got = run([$exedra, '-t', '-c', "$dir/missing"]);
    is $got->{status}, 1, 'a file that is not there';
    like $got->{err}, qr/\Q$dir\E\/missing/, '… is named';
    $got = run([$exedra, '-t', '-c', $dir]);
    is $got->{status}, 1, 'a directory';
    like $got->{err}, qr/\Q$dir\E: Is a directory/, '… is named';
};

subtest 'secrets stay out of messages' => sub {
    my $got = check("llm.key = sk-very-secret\ndb.pool = x\n");
    unlike "$got->{out}$got->{err}", qr/very-secret/, 'a key in a file that is refused';
    for ("db.url = host=x password=very secret-very-secret\n", "db.url = postgresql://me:very-secret\@[x/y\n", "llm.url = ftp://me:very-secret\@x/v1\n") {
        $got = check($_);
        is $got->{status}, 1, 'it is refused';
        unlike "$got->{out}$got->{err}", qr/very-secret/, '… and its password not told';
    }
};

# Readers of logfmt take a value to its closing quote.
subtest 'values between quotes' => sub {
    my $log = sub { run([$exedra, '-c', spew("$dir/exedra.conf", "listen = $dir/$_[0]/sock\n")])->{err} };
    like $log->('a "b" \\c' . "\td\x01"), qr{ event=listen problem="[^"]*/a \\"b\\" \\\\c\\td\?/sock: [^"\\]*"\n\z}, 'what would end them is escaped';
    is $log->('x' x 20) =~ tr/"//, 2, 'else they are as they were';
};

subtest 'no database' => sub {
    my $got = run([$exedractl, '-d', "host=$dir dbname=none user=none", 'tenant', 'list']);
    is $got->{status}, 1, 'exedractl fails';
    like $got->{err}, qr/\S/, 'and says why';
    $got = run([$exedractl, qw(-c /dev/null tenant list)], env => { EXEDRA_SET_DB_URL => '', PGHOST => $dir });
    is $got->{status}, 1, 'an empty db.url leaves all to the environment';
    like $got->{err}, qr/\Q$dir\E/, 'PGHOST say';
};

# `make dist` makes what EXTRA_DIST names: a directory that is called like a target has that run first.
subtest 'what make dist packs' => sub {
    my $makefile = slurp('Makefile.am');
    my ($packed) = $makefile =~ /^EXTRA_DIST = (.*)$/m;
    my %target = map { $_ => 1 } map { split ' ' } $makefile =~ /^\.PHONY: (.*)$/mg;
    ok $target{bench} && $packed =~ /\bt\b/, 'targets, and what is packed';
    is_deeply [grep { $target{$_} } split ' ', $packed], [], 'none is both';
};

done_testing;
