# Two tenants in one house: names that both use, one connection that serves both by turns with errors between, settings of
# one, exports of one, the end of one under load; a tenant that comes by SQL while the house stands.  And names and files
# that mean harm to a browser: answers are JSON and nothing else, files are for keeping.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(in_parallel);
use Exedra::Form;
use Exedra::RouteSuite qw(id_of);
use Time::HiRes qw(time sleep);

my $db = database();
my $exedra = start_exedra(db => $db, settings => { processes => 1, 'db.pool' => 1 });
my ($acme, $beta) = map { tenant($db, $_)->{key} } qw(acme beta);
sub ask { my ($key, $method, $path, @with) = @_; return http($exedra, $method, $path, key => $key, @with) }

# The best of some: a machine with other work has moments without any.
subtest 'a tenant comes' => sub {
    my $best = 1e9;
    for my $n (1 .. 5) {
        my $began = time;
        my $key = psql($db, "SELECT exedra.create_tenant('new$n') \\gset x\nSELECT exedra.create_key('new$n')", as => 'owner');
        is ask($key, POST => '/v1/workspace/new', json => { name => 'First' })->{status}, 200, 'by SQL, and works by HTTP';
        is ask($key, POST => '/v1/workspace/first/chat', json => { message => 'Hello?' })->{status}, 200, 'with an answer';
        $best = time - $began if time - $began < $best;
        last if $best < 1;
    }
    cmp_ok $best, '<', 1, 'within a second';
    is_deeply [map { $_->{slug} } @{ ask($acme, GET => '/v1/workspaces')->{json}{workspaces} }], [], 'and the others see nothing of it';
};

# ---- the same names ----

subtest 'names that both use' => sub {
    my @made = map { my $key = $_; [map { my ($path, $body) = @$_; my $got = ask($key, POST => $path, json => $body); "$path $got->{status} " . ($got->{json}{message} // $got->{json}{error} // '') }
        ['/v1/workspace/new', { name => 'Hall' }], ['/v1/workspace/hall/thread/new', { slug => 'talk' }], ['/v1/document/create-folder', { name => 'papers' }],
        ['/v1/admin/users/new', { username => 'anna', password => 'long enough' }], ['/v1/knowledge/create', { name => 'Shelf', description => '' }],
        ['/v1/document/raw-text', { textContent => 'One text.', metadata => { title => 'one' } }]] } $acme, $beta;
    is_deeply $made[1], $made[0], 'the second is told nothing of the first';
    is_deeply [grep { !/ 200 / } @{ $made[0] }], [], 'and both have them';
    is_deeply [map { ask($_, GET => '/v1/workspace/hall')->{json}{workspace}[0]{slug} } $acme, $beta], ['hall', 'hall'], 'each its own';
    isnt ask($acme, GET => '/v1/workspace/hall')->{json}{workspace}[0]{id}, ask($beta, GET => '/v1/workspace/hall')->{json}{workspace}[0]{id}, 'which are two';
};

# ---- one connection, by turns ----

subtest 'by turns over one connection' => sub {
    ask($acme, POST => '/v1/workspace/hall/update', json => { name => 'Hall of acme', openAiPrompt => 'ACME' });
    ask($beta, POST => '/v1/workspace/hall/update', json => { name => 'Hall of beta', openAiPrompt => 'BETA' });
    ask($_->[0], POST => '/v1/workspace/hall/chat', json => { message => "Question of $_->[1]" }) for [$acme, 'acme'], [$beta, 'beta'];
    my @look = (sub { GET => '/v1/workspaces' }, sub { GET => '/v1/workspace/hall' }, sub { GET => '/v1/workspace/hall/chats' }, sub { GET => '/v1/documents' },
        sub { GET => '/v1/admin/users' }, sub { GET => '/v1/models' }, sub { POST => '/v1/workspace/hall/vector-search', json => { query => 'text' } },
        sub { POST => '/v1/admin/workspace-chats', json => {} }, sub { GET => '/v1/knowledge' }, sub { GET => '/v1/workspace/hall/thread/talk/chats' });
    # What goes wrong between: no key, no workspace, no JSON, a wrong type, too low a role, a name that is taken.
    my @wrong = (sub { undef, GET => '/v1/workspaces' }, sub { 'sk-exd-wrong', GET => '/v1/workspaces' }, sub { $acme, GET => '/v1/workspace/none/chats' },
        sub { $beta, POST => '/v1/workspace/new', body => '{' }, sub { $beta, POST => '/v1/workspace/hall/update', json => { topN => [] } },
        sub { $acme, POST => '/v1/workspace/hall/thread/new', json => { slug => 'talk' } }, sub { $beta, POST => '/v1/document/create-folder', json => { name => 'papers' } },
        sub { $acme, DELETE => '/v1/admin/users/987654' });
    my (@foreign, @failed);
    for my $n (0 .. 999) {
        my ($key, $other) = $n % 2 ? ($acme, 'beta') : ($beta, 'acme');
        my $got = ask($key, $look[$n / 2 % @look]->());
        push @failed, "$n: $got->{status}" if $got->{status} != 200;
        push @foreign, "$n: $got->{body}" if $got->{body} =~ /of $other|\U$other/;
        ask($wrong[$n / 5 % @wrong]->()) if $n % 5 == 0;
    }
    is_deeply \@failed, [], 'all are answered';
    is_deeply \@foreign, [], 'each its own';
};

# ---- settings and exports ----

subtest 'what one sets' => sub {
    my @shown = map { my $path = $_; sub { ask($beta, GET => $path)->{body} =~ s/\d{4}-\d\d-\d\dT[\d:.]+Z//gr } } '/v1/system', '/v1/system/env-dump', '/v1/workspaces';
    my @before = map { $_->() } @shown;
    is ask($acme, POST => '/v1/admin/preferences', json => { support_email => 'ACME', default_system_prompt => 'ACME' })->{status}, 200, 'preferences';
    is ask($acme, POST => '/v1/system/update-env', json => { OpenAiModelPref => 'ACME' })->{status}, 200, 'and environment';
    is_deeply [map { $_->() } @shown], \@before, 'is nothing to another';
    is psql($db, "SELECT count(*) FROM exedra.setting WHERE tenant_id = (SELECT id FROM exedra.tenant WHERE name = 'beta')"), 0, 'in no table';
};

subtest 'what is no provider' => sub {
    my $dir = tmp_dir();
    my $conf = write_settings("$dir/ctl.conf", { 'secret.file' => "$dir/secret.key" });
    my $set = sub { my ($stdin, @words) = @_; return run([program('exedractl'), '-d', $db->conninfo('owner'), '-c', $conf, qw(provider set acme own), @words], stdin => $stdin) };
    my $all = sub { psql($db, 'SELECT p FROM exedra.provider p ORDER BY p.id') };
    my $full = run(['sh', '-c', 'trap "" XFSZ; ulimit -f 0; exec "$@"', 'sh', program('exedractl'), '-d', $db->conninfo('owner'), '-c', $conf,
        qw(provider set acme own https://models.example/v1 --key sk-good)]);
    is_deeply [@$full{qw(status err)}], [1, "exedractl: $dir/secret.key: File too large.\n"], 'a key file that cannot be written';
    ok !-e "$dir/secret.key", '… is not half there';
    is $set->("sk-good\n", 'https://models.example/v1', '--key', '-')->{status}, 0, 'one with a key';
    my $before = $all->();
    for my $case (['', '-'], ["\n", '-'], ["\r\nsk-late\n", '-'], ['', '']) {
        my $got = $set->($case->[0], 'https://models.example/v1', '--key', $case->[1]);
        is_deeply [@$got{qw(status out err)}], [2, '', "exedractl: the key is empty; a provider that needs none is set without --key.\n"], 'an empty key: ' . json_text($case);
    }
    for my $url ('', 'not a url', 'models.example/v1', 'ftp://x', 'file:///etc/passwd', 'https://', 'https:///v1', 'http://:80/v1', 'https://a b/v1', "https://a/v1\n", 'https://user@/v1', 'http://[::1/v1', 'http://x:port/', 'http://x\\@y/') {
        my $got = $set->('', $url);
        is_deeply [@$got{qw(status out err)}], [1, '', "exedractl: A provider's URL is that of an http or https server, as https://api.example.com/v1: \"$url\" is not.\n"], 'an address: ' . json_text($url);
    }
    is psql_error($db, "SELECT exedra.set_provider(exedra.find_tenant('acme'), 'own', 'openai', $_, NULL, NULL, NULL, false)", as => 'owner'), 'EX422', "by SQL: $_" for "''", 'NULL', "'ftp://x'";
    is $all->(), $before, 'nothing has changed';
    is $set->('', $_)->{status}, 0, "good: $_" for 'http://localhost:8080/v1', 'HTTPS://models.example', 'http://[2001:db8::1]:81/v1', 'https://user:word@models.example/v1/', "https://m\x{c3}\x{b6}ller.example/v1?x=1";
    like exedractl($db, qw(provider list acme)), qr/^own\topenai\t\S+\tf\t-\t8192\tf$/m, 'the list has - where there is nothing';
    is $set->('', 'http://localhost/v1', '--model', '')->{status}, 0, 'no model';
    like exedractl($db, qw(provider list acme)), qr/^own\topenai\t\S+\tf\t-\t8192\tf$/m, 'nor there';
    exedractl($db, qw(provider delete acme own));
};

subtest 'exports' => sub {
    for my $type (qw(csv json jsonl jsonAlpaca)) {
        my $got = ask($acme, GET => "/v1/system/export-chats?type=$type");
        is $got->{status}, 200, $type;
        like $got->{body}, qr/of acme/, '... has what is theirs';
        unlike $got->{body}, qr/beta/i, '... and nothing of another';
    }
};

# ---- what means harm to a browser ----

my @evil = ('<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '{{constructor.constructor("alert(1)")()}}', "javascript:alert(1)//", '</title><svg onload=alert(1)>');

subtest 'names that are markup' => sub {
    for my $evil (@evil) {
        my $slug = ask($acme, POST => '/v1/workspace/new', json => { name => $evil, openAiPrompt => $evil })->{json}{workspace}{slug};
        ask($acme, POST => "/v1/workspace/$slug/thread/new", json => { name => $evil });
        ask($acme, POST => "/v1/workspace/$slug/chat", json => { message => $evil });
        ask($acme, POST => '/v1/document/raw-text', json => { textContent => $evil, metadata => { title => $evil, docAuthor => $evil, description => $evil }, addToWorkspaces => $slug });
        ask($acme, POST => '/v1/knowledge/create', json => { name => $evil, description => $evil });
        ask($acme, POST => '/v1/embed/new', json => { workspace_slug => $slug, allowlist_domains => 'page.example' });
        upload($exedra, $acme, "$evil.txt", 'Words.', target => '/api/v1/files/');
    }
    my (@wrong, $seen);
    for my $row (grep { $_->{method} eq 'GET' && $_->{pattern} !~ /\{/ && $_->{role} ne 'anyone' } routes()) {
        my $got = ask($acme, GET => $row->{pattern});
        my $type = $got->{headers}{'content-type'} // '';
        $seen++ if $got->{body} =~ /alert\(1\)/;
        push @wrong, id_of($row) . " $type" if $type !~ m{^(?:application/json|text/plain|text/csv)} || ($got->{headers}{'x-content-type-options'} // '') ne 'nosniff';
    }
    is_deeply \@wrong, [], 'every answer is JSON or plain, and says that it is nothing else';
    cmp_ok $seen, '>=', 6, 'many hold such names';
    # As errors repeat what was asked for.
    @wrong = grep { my $got = ask($acme, GET => '/v1/models/' . s/([^a-z])/sprintf '%%%02x', ord $1/ger); $got->{status} != 404 || $got->{headers}{'content-type'} !~ m{^application/json} } @evil;
    is_deeply \@wrong, [], 'errors too';
};

subtest 'files that are pages' => sub {
    my %page = ('a.html' => ['text/html', '<script>alert(1)</script><p>Some words.'], 'b.svg' => ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><text>Some words.</text></svg>'],
        'c.xml' => ['text/xml', '<?xml version="1.0"?><a xmlns:h="http://www.w3.org/1999/xhtml"><h:script>alert(1)</h:script>Some words.</a>'], 'd.js' => ['text/javascript', 'alert(1) // Some words.'],
        'e.xhtml' => ['application/xhtml+xml', '<html xmlns="http://www.w3.org/1999/xhtml"><body><script>alert(1)</script>Some words.</body></html>'], 'f.txt' => ['text/html', '<script>alert(1)</script> Some words.'],
        "g\".html\r\nX-Evil: 1" => ['text/html', '<p>Some words.']);
    for my $name (sort keys %page) {
        my ($type, $bytes) = @{ $page{$name} };
        my $got = upload($exedra, $acme, $name, $bytes, target => '/api/v1/files/', type => $type);
        my $label = $name =~ s/[^ -~]/./gr;
        if ($got->{status} != 200) {
            like $got->{status}, qr/^4/, "$label is refused";
            next;
        }
        for my $path ('content', 'content/html', 'content/a.html', 'data/content', '') {
            my $file = ask($acme, GET => "/api/v1/files/$got->{json}{id}" . ($path eq '' ? '' : "/$path"));
            my %h = %{ $file->{headers} };
            my $shown = ($h{'content-type'} // '') =~ m{^application/json} || ($h{'content-disposition'} // '') =~ /^attachment/ || ($h{'content-security-policy'} // '') =~ /sandbox/
                || ($h{'content-type'} // '') =~ m{^text/plain};
            ok $file->{status} >= 400 || $shown && ($h{'x-content-type-options'} // '') eq 'nosniff' && !$h{'x-evil'}, "$label, /$path runs nowhere"
                or diag join "\n", "$file->{status}", map { "$_: $h{$_}" } sort keys %h;
        }
    }
};

# ---- the end of one ----

subtest 'a tenant goes while both are at work' => sub {
    document($exedra, $_, 'last', 'Last words.', 'hall') for $acme, $beta;
    my $beta_id = psql($db, "SELECT id FROM exedra.tenant WHERE name = 'beta'");
    my $start = time + 0.3;
    my @got = in_parallel(9, sub {
        my $n = $_[0];
        sleep $start - time if time < $start;
        if ($n == 0) { sleep 0.15; exedractl($db, qw(tenant delete beta)); return { who => 'nobody', status => 200, body => '' } }
        my ($who, $key) = $n % 2 ? (acme => $acme) : (beta => $beta);
        my @seen;
        for (1 .. 12) {
            my $got = $n % 4 < 2 ? ask($key, POST => '/v1/workspace/hall/chat', json => { message => "Last question $_ of $who" }, timeout => 60)
                : ask($key, POST => '/v1/document/raw-text', json => { textContent => "Text $_ of $who.", metadata => { title => "t$n$_" } }, timeout => 60);
            push @seen, "$got->{status} $got->{body}" if $got->{status} != 200;
        }
        return { who => $who, seen => \@seen };
    }, 0 .. 8);
    is_deeply [map { $_->{wrong} // () } @got], [], 'all came to an end';
    is_deeply [map { @{ $_->{seen} // [] } } grep { ($_->{who} // '') eq 'acme' } @got], [], 'the one that stays notices nothing';
    my %told = map { $_ => 1 } map { @{ $_->{seen} // [] } } grep { ($_->{who} // '') eq 'beta' } @got;
    is_deeply [grep { /^5/ } sort keys %told], [], 'the one that goes gets no error of ours';
    is ask($beta, GET => '/v1/auth')->{status}, 403, 'its key opens nothing';
    is psql($db, qq{SELECT format('SELECT %L FROM exedra.%I t WHERE t.tenant_id = $beta_id LIMIT 1', c.relname, c.relname) FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND c.relkind = 'r' WHERE c.relnamespace = 'exedra'::regnamespace AND c.relname NOT IN ('usage', 'event') \\gexec}), '', 'nothing of it is left but ledger and events';
};

ok $exedra->stop, 'exedra ends well';
done_testing;
