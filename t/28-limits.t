# Limits of a tenant, an account, a key: in requests a minute, chats a day, tokens a day and a month.  They hold at every door at which a
# model can be asked, to the number when many ask at once; what asked no model, failed or died is given back; and a tenant without limits
# pays for nothing of it.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(in_parallel);
use Exedra::Crowd;
use Exedra::Hostile qw(asan);
use Exedra::Provider;

my $provider = start_provider();
my $db = database();
my %settings = ('llm.url' => $provider->{url}, 'llm.model' => 'say', 'embed.url' => $provider->{url}, 'embed.model' => 'good', 'outbound.allow' => '127.0.0.0/8', drain => 10);
my $exedra = start_exedra(db => $db, settings => \%settings);
my $acme = tenant($db, 'acme');
my $key = $acme->{key};
my $crowd = Exedra::Crowd->new;
my $PAGE = 'https://page.example';
workspace($exedra, $key, 'Hall', chatMode => 'chat');
workspace($exedra, $key, 'Broken', chatMode => 'chat', chatModel => 'status:400');
my $thread = http($exedra, POST => '/v1/workspace/hall/thread/new', key => $key, json => {})->{json}{thread}{slug};
my $embed = http($exedra, POST => '/v1/embed/new', key => $key, json => { workspace_slug => 'hall', chat_mode => 'chat', allowlist_domains => $PAGE })->{json}{embed}{uuid};

sub limit { my ($set, @words) = @_; return exedractl($db, 'limit', $set, 'acme', @words) }
sub free { psql($db, 'DELETE FROM exedra.quota; DELETE FROM exedra.quota_used; DELETE FROM exedra.quota_hold; UPDATE exedra.tenant SET limited = false') }
sub used { my ($kind) = @_; my ($line) = grep { $_->[2] eq $kind } map { [split /\t/] } split /\n/, exedractl($db, qw(limit list acme)); return $line->[4] }
sub holds { return psql($db, 'SELECT count(*) FROM exedra.quota_hold') }

# Every door: what it is called, and a request by this key.
sub post { my ($path, $json) = @_; return sub { my ($key, $question) = @_;
    return http($exedra, POST => $path, key => $key, json => { (map { ref $json->{$_} eq 'CODE' ? ($_ => $json->{$_}->($question)) : ($_ => $json->{$_}) } keys %$json) }) } }
my $message = sub { $_[0] };
my $messages = sub { [{ role => 'user', content => $_[0] }] };
my %door = (
    'workspace chat' => post('/v1/workspace/hall/chat', { message => $message }),
    'workspace stream' => post('/v1/workspace/hall/stream-chat', { message => $message }),
    'thread chat' => post("/v1/workspace/hall/thread/$thread/chat", { message => $message }),
    'thread stream' => post("/v1/workspace/hall/thread/$thread/stream-chat", { message => $message }),
    'OpenAI, of AnythingLLM' => post('/v1/openai/chat/completions', { model => 'hall', messages => $messages }),
    'OpenAI' => post('/v1/chat/completions', { model => 'hall', messages => $messages }),
    'OpenAI, stream' => post('/v1/chat/completions', { model => 'hall', messages => $messages, stream => JSON::PP::true() }),
    'OpenAI, no workspace' => post('/v1/chat/completions', { model => 'say', messages => $messages }),
    'Open WebUI' => post('/api/chat/completions', { model => 'hall', messages => $messages }),
    'Open WebUI, no workspace' => post('/api/chat/completions', { model => 'say', messages => $messages, stream => JSON::PP::true() }),
    'embeddings' => post('/v1/embeddings', { model => 'good', input => $message }),
    'embeddings, of AnythingLLM' => post('/v1/openai/embeddings', { input => $message }),
    'a web page' => sub { http($exedra, POST => "/api/embed/$embed/stream-chat", headers => { Origin => $PAGE },
        json => { sessionId => '6f1c32d3-9f0a-4c7e-8a61-000000000001', message => $_[1] }) },
);
my $ask = $door{'workspace chat'};
sub statuses { my %n; $n{ ref $_ ? $_->{status} // $_->{wrong} : $_ }++ for @_; return \%n }

subtest 'without limits' => sub {
    is_deeply [map { $door{$_}->($key, 'say free n=1')->{status} } sort keys %door], [(200) x keys %door], 'all doors are open';
    is psql($db, 'SELECT (SELECT count(*) FROM exedra.quota_used) + (SELECT count(*) FROM exedra.quota_hold)'), 0, 'nothing is counted';
};

subtest 'every door' => sub {
    limit('set', 'chats_day', 0);
    my $before = () = $provider->requests;
    for my $name (sort keys %door) {
        my $got = $door{$name}->($key, 'say nobody');
        my $json = $got->{json} // {};
        my $said = ref $json->{error} ? $json->{error}{message} : $json->{error} // $json->{detail};
        is_deeply [$got->{status}, $said], [429, 'The limit of 0 chats a day for this tenant is reached.'], "$name: says which limit";
        cmp_ok $got->{headers}{'retry-after'} // 0, '>', 0, '… and when there is room again';
        is_deeply [@{ $json->{error} }{qw(type code)}], ['rate_limit_error', 'limit_chats_day'], '… in its form' if $name =~ /^OpenAI/;
        is $json->{type}, 'abort', '… in its form' if $name eq 'a web page';
    }
    my $after = () = $provider->requests;
    is $after, $before, 'no model was asked';
    is psql($db, "SELECT count(*) FROM exedra.chat WHERE prompt = 'say nobody'"), 0, 'nothing is on record';
    is http($exedra, GET => '/v1/workspaces', key => $key)->{status}, 200, 'what asks no model goes on';
    free();
};

subtest 'many at once, at all doors' => sub {
    for my $limit (['chats_day', 10], ['requests_minute', 10]) {
        my (%got, $minute);
        do {                            # the minute may turn in between
            free();
            limit('set', @$limit);
            $minute = int(time / 60);
            my @doors = map { (sort keys %door)[$_ % keys %door] } 0 .. 49;
            %got = %{ statuses(in_parallel(50, sub { { status => $door{$_[0]}->($key, 'say crowd n=2 pause=0.01')->{status} } }, @doors)) };
        } while $limit->[0] eq 'requests_minute' && int(time / 60) != $minute;
        is_deeply \%got, { 200 => 10, 429 => 40 }, "fifty with room for ten: $limit->[0]";
        is used($limit->[0]), 10, 'ten are counted';
        is holds(), 0, 'nothing is held any more';
    }
    free();
    limit('set', 'tokens_day', 30);
    my @got = in_parallel(20, sub { { status => $ask->($key, 'say tokens n=10 pause=0.2')->{status} } }, 1 .. 20);
    is_deeply statuses(@got), { 200 => 1, 429 => 19 }, 'tokens are set aside for an answer that is still coming';
    is used('tokens_day'), 12, 'and made exact by it';
    is_deeply [map { $ask->($key, 'say more n=1')->{status} } 1 .. 3], [200, 200, 429], 'until they are used up';
    limit('set', 'tokens_month', 1000);
    limit('unset', 'tokens_day');
    is $ask->($key, 'say month n=1')->{status}, 200, 'a month has more';
    ok !eval { limit('unset', 'tokens_week'); 1 }, 'a limit that there is not is not taken back';
    like $@, qr/A limit is requests_minute, chats_day, tokens_day or tokens_month/, 'and they are named';
    limit('set', 'tokens_month', 10);
    my $got = $ask->($key, 'say month n=1');
    is_deeply [$got->{status}, $got->{json}{error}], [429, 'The limit of 10 tokens a month for this tenant is reached.'], 'but not without end';
    free();
};

subtest 'what does not count' => sub {
    limit('set', 'chats_day', 2);
    my $broken = post('/v1/workspace/broken/chat', { message => $message });
    is_deeply statuses(map { $broken->($key, 'why') } 1 .. 4), { 500 => 4 }, 'a model that refuses';
    is_deeply statuses(map { post('/v1/workspace/none/chat', { message => $message })->($key, 'why') } 1 .. 4), { 400 => 4 }, 'a workspace that there is not';
    is_deeply statuses(map { post('/v1/workspace/hall/chat', { message => $message, mode => 'query' })->($key, 'why') } 1 .. 4), { 200 => 4 }, 'a refusal, which asks no model';
    is_deeply statuses(map { post('/v1/embeddings', { model => 'good', input => '' })->($key) } 1 .. 4), { 400 => 4 }, 'a wrong request';
    is used('chats_day'), 0, 'none counts';
    is holds(), 0, 'nothing is held';
    my $client = $crowd->ask($exedra, 'stream', key => $key, slug => 'hall', message => 'say left n=400 pause=0.05');
    $crowd->until(sub { $client->{text_seen} }, 10, 'the first word');
    is_deeply [used('chats_day'), holds()], [1, 1], 'one under way does';
    $crowd->leave($client);
    $crowd->until(sub { holds() == 0 }, 10, 'its end');
    is used('chats_day'), 1, 'whose client has left too';
    is_deeply [map { $ask->($key, 'say on n=1')->{status} } 1 .. 2], [200, 429], 'there is room for one more';
    free();
};

subtest 'whose limit' => sub {
    my $other = key($acme, label => 'other');
    my ($id) = map { (split /\t/)[0] } grep { /\tother\t/ } split /\n/, exedractl($db, qw(key list acme));
    my $amy = account($acme, 'amy', role => 'manager');
    my $amy_too = key($acme, account => 'amy');
    limit('set', 'chats_day', 1, '--key', $id);
    limit('set', 'chats_day', 2, '--account', 'amy');
    my $got = [map { $ask->($other, 'say a n=1') } 1 .. 2]->[1];
    is_deeply [$got->{status}, $got->{json}{error}], [429, 'The limit of 1 chats a day for this key is reached.'], "a key's";
    is $ask->($key, 'say a n=1')->{status}, 200, 'holds for that key';
    $got = [map { $ask->($_, 'say a n=1') } $amy->{key}, $amy_too, $amy->{key}]->[2];
    is_deeply [$got->{status}, $got->{json}{error}], [429, 'The limit of 2 chats a day for this account is reached.'], "an account's, for all its keys";
    limit('set', 'chats_day', 5);
    is_deeply [map { $ask->($key, 'say a n=1')->{status} } 1 .. 6], [(200) x 5, 429], "the tenant's, counted from now on";
    limit('set', 'chats_day', 100, '--key', $id);
    is $ask->($other, 'say a n=1')->{status}, 429, 'a larger one of its own helps no key';
    limit('unset', 'chats_day');
    is $ask->($other, 'say a n=1')->{status}, 200, 'taken back';
    my @list = map { [split /\t/] } split /\n/, exedractl($db, qw(limit list acme));
    is_deeply \@list, [['-', $id, 'chats_day', 100, 2], ['amy', '-', 'chats_day', 2, 2]], 'the list';
    free();
    my ($bob) = account($acme, 'bob', role => 'manager');
    my ($user) = grep { $_->{username} eq 'bob' } @{ http($exedra, GET => '/v1/admin/users', key => $key)->{json}{users} };
    http($exedra, POST => "/v1/admin/users/$user->{id}", key => $key, json => { dailyMessageLimit => 1 });
    is_deeply [map { $ask->($bob->{key}, 'say a n=1')->{status} } 1 .. 2], [200, 429], "what AnythingLLM's API sets for an account";
    is $ask->($key, 'say a n=1')->{status}, 200, 'is for nobody else';
    my $beta = tenant($db, 'beta');
    workspace($exedra, $beta->{key}, 'Hall', chatMode => 'chat');
    is $ask->($beta->{key}, 'say a n=1')->{status}, 200, 'nor another tenant';
    is psql($db, "SELECT count(*) FROM exedra.quota_used WHERE tenant_id = (SELECT id FROM exedra.tenant WHERE name = 'beta')"), 0, 'where nothing is counted';
    http($exedra, POST => "/v1/admin/users/$user->{id}", key => $key, json => { dailyMessageLimit => undef });
    free();
};

subtest 'who dies' => sub {
    limit('set', 'chats_day', 1);
    my $client = $crowd->ask($exedra, 'stream', key => $key, slug => 'hall', message => 'say doomed n=400 pause=0.05');
    $crowd->until(sub { $client->{text_seen} }, 10, 'the first word');
    is $ask->($key, 'say a n=1')->{status}, 429, 'its place is taken';
    kill KILL => $exedra->worker_pids;
    $crowd->until(sub { eval { $ask->($key, 'say next n=1')->{status} == 200 } }, 15, 'room again');
    pass 'the place of a chat whose process died is given back';
    is_deeply [used('chats_day'), holds()], [1, 0], 'once';
    psql($db, "INSERT INTO exedra.quota_hold (tenant_id, ticket, at, tokens) SELECT id, gen_random_uuid(), date_trunc('day', now(), 'UTC'), 500 FROM exedra.tenant WHERE name = 'acme'");
    is $ask->($key, 'say a n=1')->{status}, psql($db, "SELECT CASE WHEN date_trunc('day', now(), 'UTC') < now() - interval '1 hour' THEN 200 ELSE 429 END"), 'one of which nobody knows is found when it is in the way';
    free();
};

subtest 'a new day' => sub {
    limit('set', $_, 1) for qw(requests_minute chats_day);
    is_deeply [map { $ask->($key, 'say a n=1')->{status} } 1 .. 2], [200, 429], 'used up';
    psql($db, "UPDATE exedra.quota_used SET since = since - ('1 ' || span)::interval");
    is $ask->($key, 'say a n=1')->{status}, 200, 'begins with nothing';
    free();
};

# The clock was two days ahead for a while: what was counted then must not hold until then.
subtest 'a clock that was wrong' => sub {
    limit('set', 'requests_minute', 3);
    is $ask->($key, 'say a n=1')->{status}, 200, 'one is counted';
    psql($db, "UPDATE exedra.quota_used SET since = since + interval '2 days', n = 3");
    is $ask->($key, 'say a n=1')->{status}, 200, 'in a minute that is not to come for days';
    is psql($db, 'SELECT count(*) FROM exedra.quota_used WHERE since > now() OR n > 1'), 0, '… it is begun anew';
    psql($db, "UPDATE exedra.quota_used SET since = date_trunc('minute', now(), 'UTC') + interval '1 minute', n = 3");
    is $ask->($key, 'say a n=1')->{status}, 429, 'the next one counts: another transaction may have begun it';
    free();
};

subtest 'whose it was goes' => sub {
    my ($cid) = account($acme, 'cid', role => 'manager');
    my ($key_id) = psql($db, "SELECT id FROM exedra.credential WHERE label = '' AND account_id = (SELECT id FROM exedra.account WHERE username = 'cid')");
    limit('set', qw(chats_day 5 --account cid));
    limit('set', qw(chats_day 4 --key), $key_id);
    is $ask->($cid->{key}, 'say a n=1')->{status}, 200, 'both leave room';
    exedractl($db, qw(key delete acme), $key_id);
    is exedractl($db, qw(limit list acme)), "cid\t-\tchats_day\t5\t1", "the key's goes with it";
    exedractl($db, qw(account delete acme cid));
    is exedractl($db, qw(limit list acme)), '', "the account's is not taken for the tenant's";
    is psql($db, "SELECT (SELECT count(*) FROM exedra.quota_used WHERE subject <> 'tenant'), limited FROM exedra.tenant WHERE name = 'acme'"), "0\tf", 'nothing is counted any more';
    free();
};

subtest 'who may say so' => sub {
    is psql_error($db, $_, as => 'runtime'), '42501', $_ for role_setup() eq 'one' ? () : ("INSERT INTO exedra.quota VALUES (1, 'tenant', 0, 'chats_day', 1)", 'UPDATE exedra.quota SET most = 9',
        'DELETE FROM exedra.quota', "SELECT exedra.set_limit('acme', 'chats_day', 1)");
    my $refused = sub { my @command = @_; return eval { limit(@command); 1 } ? 'done' : $@ };
    like $refused->('set', @$_), qr/A limit is|no account|no key|not both|invalid/, "@$_" for ['cats_day', 1], ['chats_day', -1], ['chats_day', 'many'], [qw(chats_day 1 --account nobody)],
        [qw(chats_day 1 --key 99999)], [qw(chats_day 1 --account amy --key 1)];
    is exedractl($db, qw(limit list acme)), '', 'none is set by it';
};

done_testing;
