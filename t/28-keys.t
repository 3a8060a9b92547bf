# What a key is limited to: groups of routes, reading, workspaces, addresses, a time.  Whatever it is, the database tells, before
# anything else is looked at; and what is in none of its workspaces does not exist for a key that has some.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(in_parallel);

my $db = database();
my $model = start_model(deltas => ['A ', 'word.']);
my $exedra = start_exedra(db => $db, settings => { 'llm.url' => $model->{url}, 'llm.model' => 'house' });
my $acme = tenant($db, 'acme');
my $full = $acme->{key};
my @routes = routes();
my @shut = grep { $_->{role} ne 'anyone' } @routes;
my @groups = grep { $_ ne 'open' } sort keys %{ { map { $_->{group} => 1 } @shut } };

sub call { my ($row, $key, %with) = @_;
    return http($exedra, $row->{method} => $row->{pattern} =~ s/\{.*?\}/none-such/gr, key => $key, $row->{method} eq 'GET' ? () : (json => {}), %with) }
sub told { my ($got) = @_; my $json = $got->{json}; return ref $json ne 'HASH' ? '' : ref $json->{error} ? $json->{error}{message} : $json->{error} // $json->{message} // $json->{detail} // '' }
sub reads { my ($row) = @_; return $row->{method} eq 'GET' ? $row->{needs} !~ /writes/ : $row->{needs} =~ /reads/ }
sub names { return join ' ', map { "$_->{method} $_->{pattern}" } @_ }
sub refusal { my ($command) = @_; return eval { exedractl($db, @$command); 1 } ? 'done' : $@ }

subtest 'groups of routes' => sub {
    is names(grep { $_->{group} eq '' } @routes), '', 'each route is in one';
    is names(grep { $_->{role} eq 'anyone' && $_->{group} ne 'open' } @routes), '', 'those for everybody are open';
    is psql($db, "SELECT array_to_string(exedra.key_groups('{" . join(',', @groups) . "}', false), ',')"), join(',', sort @groups, 'open'), 'the database knows their names';
    my %key = map { $_ => key($acme, groups => $_) } @groups;
    my $before = psql($db, 'SELECT count(*) FROM exedra.workspace, exedra.account, exedra.credential');
    my @bad = in_parallel(4, sub {
        my ($group) = @_;
        return join ', ', map {
            my $got = call($_, $key{$group});
            my $out = $got->{status} == 403 && told($got) eq "This key is not for the group $_->{group}.";
            my $should = $_->{group} ne $group && $_->{group} ne 'open';
            $out == $should ? () : names($_) . " $got->{status} " . told($got);
        } grep { $_->{group} ne $group || reads($_) && $_->{pattern} ne '/metrics' } @shut;
    }, @groups);
    is_deeply \@bad, [('') x @groups], 'a key opens those of its group and the open ones, and no other: ' . @groups . ' keys, ' . @shut . ' routes';
    is psql($db, 'SELECT count(*) FROM exedra.workspace, exedra.account, exedra.credential'), $before, 'nothing was written';
    my $two = key($acme, groups => 'models,workspaces');
    is_deeply [map { http($exedra, GET => $_, key => $two)->{status} } '/v1/models', '/v1/workspaces', '/v1/documents', '/v1/auth'], [200, 200, 403, 200], 'several groups';
    is http($exedra, GET => '/v1/models', key => key($acme, groups => 'chat'))->{json}{error}{code}, 'key_group', 'the code says what is missing';
};

subtest 'reading' => sub {
    my $key = key($acme, 'read-only' => undef);
    my $before = psql($db, 'SELECT count(*) FROM exedra.workspace, exedra.account, exedra.folder');
    is names(grep { my $got = call($_, $key); ($got->{status} == 403 && told($got) eq 'This key may only read.') == reads($_) } @shut), '', 'a key that only reads';
    is psql($db, 'SELECT count(*) FROM exedra.workspace, exedra.account, exedra.folder'), $before, 'nothing was written';
    is psql_error($db, "BEGIN; SELECT exedra.enter(sha256('$key'), 10, true, 1, NULL); INSERT INTO exedra.workspace (tenant_id, name, slug) VALUES (1, 'x', 'x')", as => 'runtime'), '25006', 'the transaction itself writes nothing';
    is psql_error($db, "SELECT exedra.enter(sha256('$key'), 10, false, 1, NULL)", as => 'runtime'), 'EX403', 'and is not to be had otherwise';
};

subtest 'workspaces' => sub {
    my ($in, $out) = map { workspace($exedra, $full, $_) } 'Inside', 'Outside';
    my $mine = document($exedra, $full, 'Mine', 'SECRET whales are large.', 'inside');
    my $theirs = document($exedra, $full, 'Theirs', 'SECRET sharks are grey.', 'outside');
    my $loose = document($exedra, $full, 'Loose', 'SECRET eels are long.');
    http($exedra, POST => "/v1/workspace/$_/chat", key => $full, json => { message => "asked $_" }) for qw(inside outside);
    my $thread = http($exedra, POST => '/v1/workspace/outside/thread/new', key => $full, json => {})->{json}{thread}{slug};
    exedractl($db, qw(account create acme), $_->[0], '--role', $_->[1]) for ['meg', 'manager'], ['dan', 'default'];
    exedractl($db, qw(account grant acme dan), $_) for qw(inside outside);
    my @files = psql($db, "SELECT f.uuid FROM exedra.file f JOIN exedra.document d ON d.file_id = f.id WHERE d.title = 'theirs.txt'");
    my %key = (tenant => key($acme, workspaces => 'inside'), manager => key($acme, workspaces => 'inside', account => 'meg'), default => key($acme, workspaces => 'inside', account => 'dan'));
    my %real = (SLUG => 'outside', THREAD => $thread, NAME => $theirs->{location} =~ s{.*/}{}r, FILE => $files[0]);
    my %none = (SLUG => 'nowhere', THREAD => '00000000-0000-4000-8000-000000000000', NAME => 'none-' . substr($real{NAME}, -41), FILE => '00000000-0000-4000-8000-000000000001');
    my $filled = sub { my ($text, $ids) = @_; return $text =~ s/\b(SLUG|THREAD|NAME|FILE)\b/$ids->{$1}/gr };
    my $answer = sub { my ($key, $row, $ids) = @_;
        my %name = (slug => 'SLUG', threadSlug => 'THREAD', docName => 'NAME', id => $row->{pattern} =~ /files/ ? 'FILE' : 'SLUG', 'id...' => 'SLUG');
        my $path = $filled->($row->{pattern} =~ s/\{(.*?)\}/$name{$1} \/\/ 'x'/ger, $ids);
        my $body = $filled->('{"message":"what of sharks?","model":"SLUG","messages":[{"role":"user","content":"sharks?"}],"collection_name":"SLUG","collection_names":["SLUG"],
            "query":"sharks","workspace_slug":"SLUG","file_id":"FILE","docPath":"custom-documents/NAME","name":"x","new_name":"y"}', $ids);
        my $got = http($exedra, $row->{method} => $path, key => $key, $row->{method} eq 'GET' ? () : (json => $row->{needs} =~ /list/ ? [{ file_id => $ids->{FILE} }] : json_value($body)));
        my $text = "$got->{status} $got->{body}";
        $text =~ s/\Q$ids->{$_}\E/$_/g for keys %$ids;
        return $text =~ s/[0-9a-f]{8}-[0-9a-f-]{27}/<uuid>/gr;
    };
    # What names something in its path or body: outside the key's workspaces it is like what is nowhere.
    my @named = grep { $_->{group} =~ /^(?:chat|documents|embed|models|search|workspaces)$/ && $_->{needs} !~ /upload/ && ($_->{pattern} =~ /\{/ || $_->{needs} =~ /body/)
        && $_->{pattern} !~ m{/thread/new|knowledge/create|workspace/new|raw-text|upload-link|folder|process/|/v1/embed/\{|move-files|remove-documents|audio} } @shut;
    for my $who (sort keys %key) {
        my @unlike = in_parallel(4, sub { my ($row) = @_; my ($real, $none) = map { $answer->($key{$who}, $row, $_) } \%real, \%none;
            return $real eq $none && $real !~ /SECRET|theirs/ ? '' : names($row) . "\n  $real\n  $none" }, @named);
        is join("\n", grep { $_ } @unlike), '', "a key of the role $who: " . @named . ' routes';
        my @lists = grep { $_->{method} eq 'GET' && $_->{pattern} !~ /\{/ && $_->{needs} !~ /writes/ && $_->{pattern} ne '/metrics' } @shut;
        is names(grep { call($_, $key{$who})->{body} =~ /outside|sharks|eels|theirs|loose|\Q$thread\E/i } @lists), '', 'no list shows any of it';
        is_deeply [map { $_->{slug} } @{ http($exedra, GET => '/v1/workspaces', key => $key{$who})->{json}{workspaces} }], ['inside'], 'its own is there';
        is http($exedra, POST => '/v1/workspace/inside/chat', key => $key{$who}, json => { message => 'whales?' })->{status}, 200, 'and answers';
    }
    my $key = $key{tenant};
    like http($exedra, GET => '/v1/workspace/inside/chats', key => $key)->{body}, qr/asked inside/, 'its history';
    is_deeply [map { http($exedra, GET => '/v1/document/' . $_->{location} =~ s{.*/}{}r, key => $key)->{status} } $mine, $theirs, $loose], [200, 404, 404], 'documents';
    http($exedra, POST => '/v1/workspace/inside/update-embeddings', key => $key, json => { adds => [$theirs->{location}, $loose->{location}] });
    is psql($db, 'SELECT string_agg(d.title, $$,$$) FROM exedra.workspace_document l JOIN exedra.document d ON d.id = l.document_id JOIN exedra.workspace w ON w.id = l.workspace_id WHERE w.slug = $$inside$$'), 'mine.txt', 'others cannot be drawn in';
    http($exedra, DELETE => '/v1/system/remove-documents', key => $key, json => { names => [$theirs->{location}, $loose->{location}] });
    http($exedra, POST => '/v1/document/create-folder', key => $full, json => { name => 'attic' });
    http($exedra, POST => '/v1/document/move-files', key => $full, json => { files => [{ from => $loose->{location}, to => 'attic/' . $loose->{location} =~ s{.*/}{}r }] });
    is http($exedra, DELETE => '/v1/document/remove-folder', key => $_, json => { name => 'attic' })->{status}, 403, 'a folder is not theirs alone' for $key, $key{manager};
    is psql($db, 'SELECT count(*) FROM exedra.document'), 3, 'nor deleted';
    my $new = document($exedra, $key, 'New', 'SECRET rays are flat.', 'inside');
    like http($exedra, POST => '/v1/workspace/inside/vector-search', key => $key, json => { query => 'rays flat' })->{body}, qr/rays are flat/, 'its own can be handed in and found';
    my $got = http($exedra, POST => '/v1/workspace/new', key => $key, json => { name => 'More' });
    is_deeply [$got->{status}, $got->{json}{message}], [403, 'This key may only be used in its workspaces.'], 'no more workspaces are made';
    my $free = sub { http($exedra, POST => '/v1/chat/completions', key => $_[0], json => { model => 'house', messages => [{ role => 'user', content => 'x' }] }) };
    is_deeply [map { $free->($_)->{status} } $full, $key], [200, 403], "nor is a model asked without one";
    is http($exedra, GET => $_, key => $key)->{status}, 403, "$_ reaches beyond" for qw(/v1/admin/users /v1/system /v1/auths/api_key);
    http($exedra, DELETE => '/v1/workspace/inside', key => $full);
    is_deeply http($exedra, GET => '/v1/workspaces', key => $key)->{json}{workspaces}, [], 'when its workspaces are gone it has none, not all';
};

subtest 'addresses' => sub {
    my $key = key($acme, cidr => '192.0.2.0/25,2001:db8:1::/48');
    my $from = sub { my ($address, %with) = @_; return http($exedra, GET => '/v1/workspaces', key => $key, params => { REMOTE_ADDR => $address }, %with) };
    is $from->($_)->{status}, 200, "from $_" for '192.0.2.1', '192.0.2.127', '2001:db8:1::1', '2001:DB8:1:ffff::', '::ffff:192.0.2.7';
    is $from->($_)->{status}, 403, "not from '$_'" for '192.0.2.128', '2001:db8:2::1', '::ffff:192.0.3.7', '::1', 'unix:', '', '192.0.2.1, 10.0.0.1', '192.0.2', "192.0.2.1'", '192.0.2.0/25 ';
    my $headers = { map { $_ => '192.0.2.1' } qw(X-Forwarded-For X-Real-IP Forwarded Remote-Addr) };
    my ($wrong, $unknown) = ($from->('10.0.0.1', headers => $headers), http($exedra, GET => '/v1/workspaces', key => 'sk-exd-' . 'x' x 43, params => { REMOTE_ADDR => '10.0.0.1' }));
    is_deeply [@$wrong{qw(status body)}], [@$unknown{qw(status body)}], 'headers say nothing; it is like a key that there is not';
    is http($exedra, GET => '/v1/models', key => $key, params => { REMOTE_ADDR => '10.0.0.1' })->{status}, 401, 'in every dialect';
    is http($exedra, GET => '/v1/auth', key => $key, params => { REMOTE_ADDR => '10.0.0.1' })->{status}, 403, 'on every route';
};

subtest 'a time' => sub {
    my $key = key($acme, expires => 1);
    is http($exedra, GET => '/v1/auth', key => $key)->{status}, 200, 'at first it opens';
    my $status = wait_for { my $got = http($exedra, GET => '/v1/auth', key => $key); $got->{status} != 200 && $got->{status} } 5, 'its end';
    is $status, 403, 'then it does not';
};

subtest 'a key that a key makes' => sub {
    exedractl($db, qw(account create acme amy --role admin));
    my $narrow = key($acme, account => 'amy', groups => 'account,models', cidr => '127.0.0.0/8', expires => 3600);
    my $own = http($exedra, POST => '/api/v1/auths/api_key', key => $narrow)->{json}{api_key};
    is_deeply [map { http($exedra, GET => $_, key => $own)->{status} } '/v1/models', '/v1/admin/users'], [200, 403], 'may do no more';
    is http($exedra, GET => '/v1/models', key => $own, params => { REMOTE_ADDR => '10.0.0.1' })->{status}, 401, 'nor from elsewhere';
    my $next = http($exedra, POST => '/api/v1/auths/api_key', key => $own)->{json}{api_key};
    is http($exedra, GET => '/v1/admin/users', key => $next)->{status}, 403, 'nor does the next one';
    is psql($db, "SELECT count(*) FROM exedra.credential WHERE label = 'own' AND expires_at < now() + interval '1 hour'"), 1, 'nor for longer';
};

subtest 'what is refused' => sub {
    my @create = qw(key create acme);
    like refusal([@create, '--groups', 'chat,cats']), qr/There is no group "cats"/, 'a group that there is not';
    like refusal([@create, '--groups', 'CHAT']), qr/There is no group/, 'nor in capitals';
    like refusal([@create, '--groups', '']), qr/limited to nothing/, 'no groups at all';
    workspace($exedra, $full, 'Here');
    like refusal([@create, '--workspaces', 'here', '--groups', "chat,$_"]), qr/cannot have/, "workspaces with $_" for qw(users system admin account);
    like refusal([@create, '--workspaces', 'here,there']), qr/no workspace "there"/, 'a workspace that there is not';
    like refusal([@create, '--cidr', $_]), qr/no network/, "a network: $_" for '192.0.2.1/24', 'all', '10.0.0.0/33', '1.2.3.4,', '1.2.3', '10/8', '10.1/16', '0x0a000000', '1.2.3.4.5', '1.2.3./24', '2001:db8', '2001:db8/32', '::ffff:1.2.3';
    like refusal([@create, '--cidr', '10.0.0.0/8,1.2.3']), qr/"1\.2\.3" is no network: it is written whole/, 'the one that it is is named';
    is psql($db, 'SELECT count(*) FROM exedra.credential WHERE created_at > now() - interval $$1 second$$ AND label = $$x$$'), 0, 'and none is made';
};

subtest 'nowhere to write it' => sub {
    for my $words ([qw(key create acme)], [qw(tenant list)]) {
        my $got = run(['sh', '-c', 'exec "$@" >/dev/full', 'sh', program('exedractl'), '-d', $db->conninfo('owner'), @$words]);
        is $got->{status}, 1, "@$words on a full disk fails";
        like $got->{err}, qr/\Aexedractl: what it prints could not be written: No space left on device\.\n\z/, 'and says so';
    }
};

subtest 'the list' => sub {
    my $beta = tenant($db, 'beta');
    workspace($exedra, $beta->{key}, 'Room');
    my $key = key($beta, label => 'narrow', workspaces => 'room', groups => 'chat,models', cidr => '10.0.0.0/8', 'read-only' => undef);
    my $row = sub { my ($label) = @_; my ($row) = grep { $_->[4] eq $label } map { [split /\t/] } split /\n/, exedractl($db, qw(key list beta)); $row };
    is_deeply [@{ $row->('narrow') }[8 .. 12]], ['-', 't', 'chat,models', 'room', '10.0.0.0/8'], 'says what a key is limited to, and that it was never used';
    is_deeply [@{ $row->('-') }[2 .. 4, 6 .. 12]], [qw(- admin - - - - f - - -)], 'and - where there is nothing';
    my $second = start_exedra(db => $db);
    is http($second, GET => '/v1/models', key => $key, params => { REMOTE_ADDR => '10.1.2.3' })->{status}, 200, 'it is used';
    is http($second, GET => '/v1/models', key => $key, params => { REMOTE_ADDR => '11.1.2.3' })->{status}, 401, 'and tried';
    $second->stop;
    like $row->('narrow')->[8], qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000Z$/, 'then it says when';
    key($beta, label => "a\tb\nc\x1B[2J\x7F\xC2\x9B2J\xC3\xA9");
    my ($odd) = map { [split /\t/] } grep { /2J/ } split /\n/, exedractl($db, qw(key list beta));
    is_deeply [@{ $odd // [] }[4, 9 .. 12]], ['a\\tb\\nc\\u001b[2J\\u007f\\u009b2J' . "\xC3\xA9", qw(f - - -)], 'a label that would be columns, lines and more is one column of one line';
    my $by_cgi = key($beta, label => 'cgi');
    http(start_cgi(db => $db), GET => '/v1/auth', key => $by_cgi);
    like $row->('cgi')->[8], qr/^\d{4}-/, 'a CGI program notes it too';
    my $xmin = sub { psql($db, "SELECT string_agg(xmin::text, ' ' ORDER BY id) FROM exedra.credential WHERE label IN ('narrow', 'cgi')") };
    my $before = $xmin->();
    psql($db, "SELECT exedra.note_uses(array_agg(hash)) FROM exedra.credential", as => 'owner');
    is $xmin->(), $before, 'not twice in a minute';
};

done_testing;
