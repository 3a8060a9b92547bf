# GET /metrics: well formed, exact after a small load through nginx, right after a worker was killed and after a reload, open
# to admins and, where that is allowed, to clients on the same machine; bounded, and without anybody's content.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer qw(ask in_parallel);
use List::Util qw(sum0);
use Time::HiRes qw(sleep);

need('nginx');

# ---- the format ----

my $name = qr/[a-zA-Z_][a-zA-Z0-9_]*/;
my $label = qr/$name="(?:[^"\\\n]|\\[\\"n])*"/;

# Reads an exposition as a strict reader would: { series => value }, a series as it stands there; dies with what is wrong.
sub parsed {
    my ($text) = @_;
    my (%value, %help, %type, %le, $family);
    $text =~ /\n\z/ or die "the last line has no end\n";
    for my $line (split /\n/, $text) {
        if ($line =~ /^# HELP ($name) \S/) {
            die "$1 comes twice\n" if $help{$1}++;
            $family = $1;
        } elsif ($line =~ /^# TYPE ($name) (counter|gauge|histogram)$/) {
            die "the type of $1 does not follow its help\n" if $1 ne $family || $type{$1};
            $type{$1} = $2;
            die "$1 should end with _total\n" if ($2 eq 'counter') != ($1 =~ /_total$/);
        } elsif ($line =~ /^(($name)(?:\{($label(?:,$label)*)\})?) (-?[0-9.]+)$/) {
            my ($series, $sample, $labels, $number) = ($1, $2, $3 // '', $4);
            my %seen;
            die "a label twice: $line\n" if grep { $seen{$_}++ } $labels =~ /(?:^|,)($name)="/g;
            die "$series comes twice\n" if exists $value{$series};
            my $histogram = ($type{$family // ''} // '') eq 'histogram';
            die "$line is of no family\n" if !$family || !$type{$family};
            die "$line is not of $family\n" if $sample !~ ($histogram ? qr/^\Q$family\E_(?:bucket|sum|count)$/ : qr/^\Q$family\E$/);
            die "$line is negative\n" if $number < 0;
            $value{$series} = $number;
            !$seen{le} == ($sample !~ /_bucket$/) or die "$line: le\n" if $histogram;
            push @{ $le{$1 . $2} }, [$3, $number] if $histogram && $series =~ /^(.*)_bucket\{(.*?),?le="([^"]+)"\}$/;
        } else {
            die "not a line: $line\n";
        }
    }
    for my $series (sort keys %le) {
        my ($last, $bound) = (0, 0);
        for (@{ $le{$series} }) {
            die "$series: buckets out of order\n" if $_->[0] ne '+Inf' && $_->[0] <= $bound or $bound eq '+Inf';
            die "$series: fewer in a larger bucket\n" if $_->[1] < $last;
            ($bound, $last) = @$_;
        }
        my ($metric, $labels) = $series =~ /^(\w+?_seconds)(.*)$/;
        my $braced = $labels eq '' ? '' : "{$labels}";
        die "$series: no bucket for all\n" if $bound ne '+Inf';
        die "$series: count and buckets differ\n" if $value{"${metric}_count$braced"} != $last;
        die "$series: no sum\n" if !defined $value{"${metric}_sum$braced"};
    }
    return \%value;
}

for (['a line that is none', "x\n"], ['no end', "# HELP a b\n# TYPE a gauge\na 1"], ['a series twice', "# HELP a b\n# TYPE a gauge\na 1\na 2\n"],
    ['no type', "# HELP a b\na 1\n"], ['a quote', "# HELP a b\n# TYPE a gauge\na{b=\"c\"d\"} 1\n"],
    ['buckets that fall', "# HELP a_seconds b\n# TYPE a_seconds histogram\na_seconds_bucket{le=\"1\"} 2\na_seconds_bucket{le=\"+Inf\"} 1\na_seconds_sum 1\na_seconds_count 1\n"]) {
    my ($what, $text) = @$_;
    no warnings;
    ok !eval { parsed($text) }, "the reader of this test sees $what";
}

# ---- a pool, a model, a load ----

# Answers as the question says: `status 500`, `slowly`, or two words.
my $model = start_model(answer => sub {
    my ($client, $request) = @_;
    my $question = $request->{json}{messages}[-1]{content};
    return Exedra::Model::reply_json($client, { error => { message => 'SECRET' } }, "$1 No") if $question =~ /^status (\d+)/;
    Exedra::Model::say_it($client, $request, $question =~ /^slowly/ ? [('word ') x 300] : ['two ', 'words'], $question =~ /^slowly/ ? 0.1 : 0);
});
my $db = database();
my $exedra = start_exedra(db => $db, settings => { processes => 2, 'llm.url' => $model->{url}, 'llm.model' => 'm', 'llm.key' => 'sk-SECRET',
    'metrics.loopback' => 'on', 'outbound.allow' => '127.0.0.0/8', 'secret.file' => tmp_dir() . '/secret' });
my $nginx = start_nginx(exedra => $exedra);
my $acme = tenant($db, 'acme');
my $key = $acme->{key};

sub scrape {
    my ($server) = @_;
    my $got = http($server // $nginx, GET => '/api/metrics');
    is $got->{status}, 200, 'the numbers' if $got->{status} != 200;
    return parsed($got->{body});
}

# Of a series, or of all of a metric together; 0 when there is none.
sub value {
    my ($metrics, $series) = @_;
    return $metrics->{$series} // 0 if $series =~ /\{/;
    return sum0 map { $metrics->{$_} } grep { /^\Q$series\E(?:\{|$)/ } keys %$metrics;
}

# Waits until a series has this value, and returns all of that moment.
sub until_is {
    my ($series, $expected, $server) = @_;
    my $metrics;
    eval { wait_for { value($metrics = scrape($server), $series) == $expected } 10, $series };
    is value($metrics, $series), $expected, $series;
    return $metrics;
}

# What has changed, but for gauges and times: { series => by how much }.
sub difference {
    my ($before, $after) = @_;
    my %more = map { $_ => $after->{$_} - ($before->{$_} // 0) } grep { /^exedra_\w+_(?:total|count)\b/ && !/^exedra_db_/ } keys %$after;
    return { map { $_ => $more{$_} } grep { $more{$_} != 0 } keys %more };
}

# Every counter is at least what it was.
sub nothing_lost {
    my ($before, $after, $what) = @_;
    is_deeply [grep { !defined $after->{$_} || $after->{$_} < $before->{$_} } grep { /_(?:total|count|sum|bucket)\b/ } sort keys %$before], [], $what;
}

sub route { my ($method, $pattern) = @_; return qq(method="$method",route="$pattern") }

workspace($exedra, $key, 'Hall', chatMode => 'chat');
my $first = scrape();

subtest 'a small load' => sub {
    my %status;
    for my $request (
        (map { [GET => '/v1/auth', key => $key] } 1 .. 7), (map { [GET => '/api/v1/auth', key => 'wrong'] } 1 .. 3),
        (map { [HEAD => '/v1/auth', key => $key] } 1 .. 2), [GET => '/v1/none'], [GET => '/v1/none/either', key => $key],
        [POST => '/v1/auth', key => $key], [OPTIONS => '/v1/auth'], [GET => '/v1/workspace/no-such', key => $key],
        [POST => '/v1/workspace/new', key => $key, json => { name => ['x'] }], [GET => '/readyz']) {
        my ($method, $target, %with) = @$request;
        http($nginx, $method => $target, %with);
    }
    ask($nginx, 'chat', key => $key, slug => 'hall', message => "two words $_") for 1 .. 4;
    ask($nginx, 'stream', key => $key, slug => 'hall', message => "two words $_") for 1 .. 3;
    my $chat = route(POST => '/v1/workspace/{slug}/chat');
    my $stream = route(POST => '/v1/workspace/{slug}/stream-chat');
    my $auth = route(GET => '/v1/auth');
    is_deeply difference($first, scrape()), {
        'exedra_requests_total{' . route('GET', '/metrics') . ',status="200"}' => 1,
        "exedra_requests_total{$auth,status=\"200\"}" => 9, "exedra_requests_total{$auth,status=\"403\"}" => 3,
        'exedra_requests_total{' . route(any => 'none') . ',status="404"}' => 2,
        'exedra_requests_total{' . route(any => 'none') . ',status="405"}' => 1,
        'exedra_requests_total{' . route(any => 'none') . ',status="204"}' => 1,
        'exedra_requests_total{' . route(GET => '/v1/workspace/{slug}') . ',status="200"}' => 1,
        'exedra_requests_total{' . route(POST => '/v1/workspace/new') . ',status="422"}' => 1,
        'exedra_requests_total{' . route(GET => '/readyz') . ',status="200"}' => 1,
        "exedra_requests_total{$chat,status=\"200\"}" => 4, "exedra_requests_total{$stream,status=\"200\"}" => 3,
        (map { ("exedra_request_duration_seconds_count{$_->[0]}" => $_->[1]) } [$auth, 12], [route(any => 'none'), 4], [$chat, 4], [$stream, 3],
            map { [$_, 1] } route('GET', '/metrics'), route(GET => '/v1/workspace/{slug}'), route(POST => '/v1/workspace/new'), route(GET => '/readyz')),
        'exedra_chats_total{outcome="done"}' => 7,
        'exedra_tokens_total{provider="generic-openai",call="chat",direction="in"}' => 49, 'exedra_tokens_total{provider="generic-openai",call="chat",direction="out"}' => 14,
        'exedra_provider_attempts_total{provider="generic-openai",call="chat"}' => 7,
        'exedra_provider_attempt_ends_total{provider="generic-openai",call="chat",end="done"}' => 7,
        'exedra_provider_first_byte_seconds_count{provider="generic-openai",call="chat"}' => 7,
    }, 'each request is counted once, where it belongs' or diag explain difference($first, scrape());
};

# The log has the same times, to a tenth of a millisecond.
subtest 'histograms' => sub {
    my $metrics = scrape();
    my $log = $exedra->log_text;
    my %ms;
    push @{ $ms{$1} }, $2 while $log =~ /event=request id=\S+ method=\S+ route="(\/v1\/[^"]+)" status=\d+ ms=([\d.]+)/g;
    ok keys %ms > 3, scalar(keys %ms) . ' routes';
    for my $route (sort keys %ms) {
        my @ms = @{ $ms{$route} };
        my ($sum) = map { $metrics->{$_} } grep { /^exedra_request_duration_seconds_sum\{.*route="\Q$route\E"/ } keys %$metrics;
        cmp_ok abs($sum * 1000 - sum0 @ms), '<=', 0.05 * @ms + 1e-6, "$route: the sum of " . @ms;
        my @wrong;
        for my $series (grep { /^exedra_request_duration_seconds_bucket\{.*route="\Q$route\E"/ } keys %$metrics) {
            my ($bound) = $series =~ /le="([^"]+)"/;
            my ($least, $most) = map { my $off = $_; scalar grep { $bound eq '+Inf' || $_ <= $bound * 1000 + $off } @ms } -0.051, 0.051;
            push @wrong, "$series $metrics->{$series}, not $least to $most" if $metrics->{$series} < $least || $metrics->{$series} > $most;
        }
        is_deeply \@wrong, [], '… and its buckets';
    }
};

subtest 'a provider that fails' => sub {
    my $before = scrape();
    is ask($nginx, 'chunks', key => $key, slug => 'hall', message => "status $_")->{error}{code}, $_ == 404 ? 'upstream_model' : 'upstream_error', "status $_" for 404, 500;
    my $more = difference($before, scrape());
    is $more->{"exedra_provider_$_->[0]"}, $_->[1], $_->[0] for ['attempts_total{provider="generic-openai",call="chat"}', 4],
        ['attempt_ends_total{provider="generic-openai",call="chat",end="refused"}', 4], ['errors_total{provider="generic-openai",call="chat",code="upstream_model"}', 1],
        ['errors_total{provider="generic-openai",call="chat",code="upstream_error"}', 1], ['first_byte_seconds_count{provider="generic-openai",call="chat"}', undef];
    is $more->{'exedra_chats_total{outcome="failed"}'}, 2, 'and so do the chats';
};

# Each worker counts in pages of its own.
subtest 'two workers' => sub {
    my $before = scrape();
    my ($n, %pid) = (0);
    my $seen = length $exedra->log_text;
    for (1 .. 20) {
        in_parallel(8, sub { { status => http($nginx, GET => '/v1/auth', key => $key)->{status} } }, 1 .. 40);
        $n += 40;
        %pid = map { $_ => 1 } substr($exedra->log_text, $seen) =~ /pid=(\d+) event=request/g;
        last if keys %pid > 1;
    }
    cmp_ok scalar keys %pid, '>', 1, 'both have answered';
    is difference($before, scrape())->{'exedra_requests_total{' . route(GET => '/v1/auth') . ',status="200"}'}, $n, "their $n add up";
};

# ---- gauges ----

sub abandoned { return psql($db, "SELECT count(*) FROM exedra.chat WHERE reason = 'worker_died'") }

subtest 'a worker is killed' => sub {
    my $before = scrape();
    is value($before, 'exedra_streams_open'), 0, 'no stream is open';
    my @streams = map { http_stream($nginx, POST => '/v1/workspace/hall/stream-chat', key => $key, json => { message => "slowly $_" }) } 1 .. 6;
    until_is(exedra_streams_open => 6);
    $before = until_is(exedra_chats_open => 6);
    cmp_ok value($before, 'exedra_threads_busy'), '>=', 6, 'each has a thread';
    my ($victim, $other) = $exedra->worker_pids;
    for my $n (1, 2) {
        kill KILL => $victim;
        until_is(exedra_worker_restarts_total => $n);
        my $after = until_is('exedra_workers{state="serving"}' => 2);
        my $gone = value($after, 'exedra_chats_total{outcome="abandoned"}');
        is value($after, 'exedra_streams_open'), 6 - $gone, "$gone streams have gone with it";
        is value($after, 'exedra_chats_open'), 6 - $gone, 'and as many chats';
        eval { wait_for { abandoned() == $gone } 10, 'the rows' };
        is abandoned(), $gone, 'the database says so too';
        nothing_lost($before, $after, 'what it had counted stays');
        ($victim, $before) = ($other, $after);
    }
    is value($before, 'exedra_streams_open'), 0, 'both are dead: nothing is open';
    until_is(exedra_threads_busy => 1); # the one that tells
    $_->close for @streams;
};

subtest 'a reload' => sub {
    my $before = scrape();
    my $stream = http_stream($nginx, POST => '/v1/workspace/hall/stream-chat', key => $key, json => { message => 'slowly on' });
    until_is(exedra_streams_open => 1);
    $exedra->reload('db.pool' => 3);
    $exedra->wait_log('event=reloaded');
    until_is('exedra_workers{state="serving"}' => 2);
    until_is('exedra_workers{state="draining"}' => 1);
    my $after = until_is(exedra_db_connections_most => 2 * 3 + 4);
    is value($after, 'exedra_streams_open'), 1, 'the stream of the old one is open';
    is value($after, 'process_start_time_seconds'), value($before, 'process_start_time_seconds'), 'the master is the same';
    nothing_lost($before, $after, 'nothing that was counted is lost');
    $stream->close;
    until_is('exedra_workers{state="draining"}' => 0);
    $after = until_is(exedra_db_connections_most => 2 * 3);
    is value($after, 'exedra_streams_open'), 0, 'nor open';
    is difference($before, $after)->{'exedra_chats_total{outcome="stopped"}'}, 1, 'its chat was stopped';
    is value($after, 'exedra_worker_restarts_total'), 2, 'and nobody died';
};

# The thread that looks for jobs takes its turn too, now and then, and so does upkeep.
subtest 'connections to the database' => sub {
    my $pool = start_exedra(db => $db, settings => { processes => 1, 'db.pool' => 1, 'metrics.loopback' => 'on' });
    http($pool, GET => '/v1/auth', key => $key);
    my $before = until_is(exedra_db_connections_in_use => 0, $pool);
    is value($before, "exedra_db_connections_$_"), 1, $_ for qw(open most);
    open my $lock, '|-', 'psql', '-qAt', '-o', tmp_dir() . '/lock', '-d', $db->conninfo('super') or die;
    syswrite $lock, "BEGIN; LOCK exedra.credential IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n";
    wait_for { -e tmp_dir() . '/lock' && slurp(tmp_dir() . '/lock') =~ /held/ } 10, 'the lock';
    my @asked = map { fcgi_open($pool->{socket}) } 1 .. 4;
    $_->send(begin_record(1), record(FCGI_PARAMS, 1, pairs(cgi_variables(GET => '/v1/auth', headers => { Authorization => "Bearer $key" }))),
        record(FCGI_PARAMS, 1, ''), record(FCGI_STDIN, 1, '')) for @asked;
    my $during;
    eval { wait_for { value($during = scrape($pool), 'exedra_db_waiting') >= 3 } 10, 'three that wait' };
    like value($during, 'exedra_db_waiting'), qr/^[345]$/, 'three that wait';
    is value($during, 'exedra_db_connections_in_use'), 1, 'for one';
    sleep 0.06;
    syswrite $lock, "COMMIT;\n";
    close $lock;
    is_deeply [map { $_->reply(20)->{status} } @asked], [(200) x 4], 'all have their answer';
    until_is(exedra_db_waiting => 0, $pool);
    my $after = until_is(exedra_db_connections_in_use => 0, $pool);
    cmp_ok value($after, 'exedra_db_wait_seconds_count') - value($before, 'exedra_db_wait_seconds_count'), '>=', 3, 'they have waited';
    cmp_ok value($after, 'exedra_db_wait_seconds_sum') - value($before, 'exedra_db_wait_seconds_sum'), '>=', 3 * 0.05, '… as long as they did';
    my ($own, $shared) = map { value($after, $_) - value($before, $_) } 'exedra_db_transactions_total', 'exedra_db_transactions_shared_total';
    cmp_ok $own + $shared, '>=', 4, 'all have been done';
    cmp_ok $shared, '>', 0, '… some along with another';
    ok $pool->stop, 'ends well';
};

# ---- labels ----

subtest 'providers' => sub {
    my @names = ('we"ird\\ ' . "\n" . 'name', 'x' x 80, map { "far-$_" } 1 .. 18);
    for my $i (0 .. $#names) {
        my $made = run([program('exedractl'), '-c', $exedra->{conf}, '-d', $db->conninfo('owner'), qw(provider set acme), $names[$i], $model->{url}, qw(--model m)]);
        is $made->{status}, 0, 'a provider' or diag $made->{err};
        workspace($exedra, $key, "Far $i", chatProvider => $names[$i], chatMode => 'chat');
    }
    my $before = scrape();
    my $hello = sub { ask($nginx, 'chat', key => $key, slug => "far-$_[0]", message => 'Hello') };
    my @answers = (map({ $hello->($_) } 0, 1), in_parallel(4, $hello, 2 .. $#names));
    is scalar(grep { $_->{complete} } @answers), @names, 'all answer';
    my $after = scrape();
    my %attempts = map { /^exedra_provider_attempts_total\{provider="(.*)",call="chat"\}$/s ? ($1 => $after->{$_}) : () } keys %$after;
    is scalar keys %attempts, 17, '16 have their names, and there is one for the others';
    is $attempts{other}, @names - 15, '… which has what they asked';
    ok $attempts{'generic-openai'}, 'the server\'s own is among the names';
    is_deeply [sort grep { !/^(?:other|generic-openai|far-\d+)$/ } keys %attempts], ['we\\"ird\\\\ \\nname', 'x' x 63], 'names are escaped and cut';
    is value($after, 'exedra_provider_attempts_total') - value($before, 'exedra_provider_attempts_total'), @names, 'all are counted';
    $hello->($_) for 0, $#names;
    is_deeply [sort map { /^exedra_provider_attempts_total\{provider="(.*)",call="chat"\}$/s } keys %{ scrape() }], [sort keys %attempts], 'names stay';
};

subtest 'nothing of anybody\'s' => sub {
    my $body = http($nginx, GET => '/api/metrics')->{body};
    unlike $body, qr/SECRET|sk-|127\.0|http:|hall|acme|slowly|\Q$key\E/i, 'no key, address, slug, tenant or question';
    my %in = map { $_ => 1 } $body =~ /^# HELP (\S+)/mg;
    my ($section) = slurp('man/exedra.8') =~ /^\.Sh METRICS\n(.*?)^\.Sh /ms;
    is_deeply [sort map { split / , / } $section =~ /^\.It Li (.+)$/mg], [sort keys %in], 'exedra(8) lists what there is';
    my ($codes) = slurp('src/base/metrics.c') =~ /\bcodes\[\] = \{(.*?)\};/s;
    my %known = map { $_ => 1 } $codes =~ /"(\w+)"/g;
    my @llm = map { slurp($_) } glob 'src/llm/*.[ch]';
    my @ends = map { /\bname "(_\w+)"/g } @llm;
    my @codes = (map({ /\bfail\([^,]+, \d+, "(\w+)"/g } @llm), map { my $kind = $_; map { "$kind$_" } @ends } map { /ASKING_CODES\("(\w+)"\)/g } @llm);
    ok @codes > 30, scalar(@codes) . ' codes of providers\' failures';
    is_deeply [grep { !$known{$_} } @codes], [], '… have places of their own';
};

# ---- who may ----

subtest 'who may ask' => sub {
    my $shut = start_exedra(db => $db);
    my %account = map { $_ => account($acme, "is-$_", role => $_)->{key} } qw(default manager admin);
    my $status = sub { my ($server, %with) = @_; return http($server, GET => '/metrics', %with)->{status} };
    is $status->($shut, key => $_->[1]), $_->[2], $_->[0] for ['no key, from this machine', undef, 401], ['a wrong one', 'wrong', 401],
        ['a tenant\'s', $key, 200], ['an admin\'s', $account{admin}, 200], ['a manager\'s', $account{manager}, 403], ['a member\'s', $account{default}, 403];
    my $got = http($shut, GET => '/metrics', key => $key);
    is $got->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'the type';
    is $got->{headers}{'cache-control'}, 'no-store', 'not to be kept';
    ok eval { parsed($got->{body}) }, 'well formed when there is little to tell' or diag $@;
    is http($shut, HEAD => '/metrics', key => $key)->{body}, '', 'HEAD has no body';

    # metrics.loopback
    for (['127.0.0.1', 200], ['127.8.9.10', 200], ['::1', 200], ['unix:', 200], ['', 200], [undef, 200], ['::ffff:127.0.0.1', 200],
        ['10.0.0.1', 401], ['128.0.0.1', 401], ['::2', 401], ['::ffff:10.0.0.1', 401], ['localhost', 401], ['127.1', 401], ['127.0.0.1.evil.test', 401],
        ['127.0.0.1, 10.0.0.1', 401], [' 127.0.0.1', 401], ['unix:x', 401]) {
        my ($address, $expected) = @$_;
        is $status->($exedra, params => { REMOTE_ADDR => $address }), $expected, 'a client at ' . ($address // 'no address');
    }
    is $status->($exedra, params => { REMOTE_ADDR => '10.0.0.1' }, headers => { 'X-Forwarded-For' => '127.0.0.1', 'X-Real-IP' => '127.0.0.1', Forwarded => 'for=127.0.0.1',
        'Remote-Addr' => '127.0.0.1' }), 401, 'headers say nothing';
    is $status->($exedra, key => 'wrong'), 401, 'a wrong key is told so all the same';
    is $status->($exedra, key => $account{manager}), 403, 'and a low role';
    is http($exedra, GET => '/v1/auth')->{status}, 403, 'it opens nothing else';

    # without a database
    my $alone = start_exedra(settings => { 'db.url' => 'host=/nowhere', 'metrics.loopback' => 'on' });
    is $status->($alone), 200, 'while the database is away';
    is $status->($alone, key => $key), 503, 'a key cannot be looked up then';
    ok $_->stop, 'ends well' for $shut, $alone;
};

subtest 'a CGI process counts nothing' => sub {
    my $cgi = start_cgi(db => $db, settings => { 'metrics.loopback' => 'on' });
    my $got = http($cgi, GET => '/metrics');
    is "$got->{status} $got->{json}{error}{code}", '501 metrics_missing', 'and says so';
    is http($cgi, GET => '/metrics', params => { REMOTE_ADDR => '10.0.0.1' })->{status}, 401, '… to who may know';
    is http($cgi, GET => '/v1/auth', key => $key)->{status}, 200, 'all else is as ever';
};

ok $_->stop, "$_->{name} ends well" for $nginx, $exedra;
done_testing;
