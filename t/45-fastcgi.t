# FastCGI records that lie, stop, come twice or in the wrong order; peers that are silent, slow or gone; and the program as
# CGI.  The pool answers what is a request, drops what is none, and is free again within body.timeout.
use lib 't/lib';
use Exedra::Test;
use Exedra::Hostile;
use Time::HiRes qw(time sleep);

my $PATIENCE = 1;                       # body.timeout, in seconds

# libfcgi loses some bytes of each management record; what we lose ourselves is still found.
my $known = spew(tmp_dir() . '/known', "leak:libfcgi\n");
my %env = (LSAN_OPTIONS => "suppressions=$known:print_suppressions=0");

my $house = house(nginx => 0, env => \%env, settings => { processes => 1, threads => 32, 'body.timeout' => $PATIENCE });
my ($exedra, $db, $key) = @$house{qw(exedra db key)};
my $socket = $exedra->{socket};
my $auth = { Authorization => "Bearer $key" };
use constant { FCGI_END_RECORD => 3, FCGI_DATA => 8, FCGI_GET_VALUES_RESULT => 10, FCGI_UNKNOWN => 11 };

# The parts of a request.
sub params_of {
    my ($method, $target, %with) = @_;
    return pairs(cgi_variables($method, $target, headers => $auth, %with));
}
my $get = params_of(GET => '/v1/auth');
my $post = params_of(POST => '/v1/workspace/hall/update', params => { CONTENT_LENGTH => 2 });
sub params { return record(FCGI_PARAMS, $_[1] // 1, $_[0]) . record(FCGI_PARAMS, $_[1] // 1, '') }
sub stdin  { return (defined $_[0] && length $_[0] ? record(FCGI_STDIN, $_[1] // 1, $_[0]) : '')
    . record(FCGI_STDIN, $_[1] // 1, '') }
sub whole  { return begin_record(1) . params($get) . stdin() }

# A length as four bytes.
sub four { return pack 'N', $_[0] | 1 << 31 }

# Everything that comes back until the connection ends: the records, and how long it took.  Undef when it does not end.
sub all_records {
    my ($connection, $seconds) = @_;
    my $began = time;
    my @records;
    my $ended = eval {
        while (my $record = $connection->next_record($seconds - (time - $began))) { push @records, $record }
        1;
    };
    return $ended ? { records => \@records, seconds => time - $began } : undef;
}

# The HTTP reply in records.
sub reply_of {
    my ($records) = @_;
    my $text = join '', map { $_->{content} } grep { $_->{type} == FCGI_STDOUT } @$records;
    return length $text ? Exedra::Http::with_json(Exedra::Fcgi::cgi_reply($text)) : undef;
}

# ---- bytes that are no request, or only nearly one ----

my $long = params_of(GET => '/v1/auth', params => { X => 'x' x 30_000 });
my @frames = (
    # name, bytes, what comes back: a status, 'closed' (nothing), or both
    # as it should be
    ['a request',                          whole(), 200],
    # libfcgi forgets the padding of the last record of parameters; no web server pads an empty record
    ['with padding of 255',                begin_record(1) . record(FCGI_PARAMS, 1, $get, padding => 'p' x 255)
        . record(FCGI_PARAMS, 1, '', padding => 'p' x 255) . record(FCGI_STDIN, 1, '', padding => 'p' x 255), '200/400'],
    # legal, but libfcgi loses what follows; no web server pads these eight bytes
    ['with padding of the beginning',      record(1, 1, pack('nCx5', 1, 0), padding => 'p' x 8) . params($get)
        . stdin(), '200/405/closed'],
    ['parameters a byte a record',         begin_record(1) . join('', map { record(FCGI_PARAMS, 1, $_) } split //, $get)
        . record(FCGI_PARAMS, 1, '') . stdin(), 200],
    ['a body a byte a record',             begin_record(1) . params($post)
        . join('', map { record(FCGI_STDIN, 1, $_) } split //, '{}') . stdin(), 200],
    ['the id 65535',                       begin_record(65535) . params($get, 65535) . stdin('', 65535), 200],
    ['one flag that nobody knows',         begin_record(1, 1, 0xfe) . params($get) . stdin(), '200/closed'],
    # silence
    ['nothing',                            '', 'closed'],
    ['half a header',                      substr(begin_record(1), 0, 4), 'closed'],
    ['a header without its content',       substr(begin_record(1), 0, 8), 'closed'],
    ['only a beginning',                   begin_record(1), '400/405/closed'],
    ['half the parameters',                begin_record(1) . record(FCGI_PARAMS, 1, substr $get, 0, 50), '400/405/closed'],
    ['parameters without an end',          begin_record(1) . record(FCGI_PARAMS, 1, $get), '400/405/closed'],
    ['no body, where one was said',        begin_record(1) . params($post), '400/closed'],
    ['half a body',                        begin_record(1) . params($post) . record(FCGI_STDIN, 1, '{'), '400/closed'],
    ['a body without an end',              begin_record(1) . params($post) . record(FCGI_STDIN, 1, '{}'), '200/400/closed'],
    ['a GET whose body has no end',        begin_record(1) . params($get), '400/closed'],
    ['padding that does not come',         begin_record(1)
        . record(FCGI_PARAMS, 1, $get, claimed_padding => 255), '400/405/closed'],
    # lying lengths
    ['a name of 2 GiB',                    begin_record(1) . params(four(0x7fffffff) . "\1" . 'x' x 10)
        . stdin(), '400/404/405/closed'],
    ['a value of 2 GiB',                   begin_record(1) . params("\1" . four(0x7fffffff) . 'x' x 10)
        . stdin(), '400/404/405/closed'],
    ['both of 2 GiB',                      begin_record(1) . params(four(0x7fffffff) . four(0x7fffffff) . 'x' x 10)
        . stdin(), '400/404/405/closed'],
    ['lengths that wrap',                  begin_record(1) . params(four(0x7fffffff) . four(0x7ffffffe) . 'x' x 10)
        . stdin(), '400/404/405/closed'],
    ['a name of 1 GiB',                    begin_record(1) . params(four(0x3fffffff) . "\0" . 'x' x 10)
        . stdin(), '400/404/405/closed'],
    ['a name longer than its record',      begin_record(1) . params("\x7f\1" . 'x' x 10) . stdin(), '400/404/405/closed'],
    ['half a length',                      begin_record(1) . params($get . "\x80\0") . stdin(), '200/400/404/405/closed'],
    ['a length and no more',               begin_record(1) . params($get . "\5") . stdin(), '200/400/404/405/closed'],
    ['empty names and values',             begin_record(1) . params($get . "\0\0" x 1000) . stdin(), '200/400'],
    ['content of 65535 and 10 bytes',      begin_record(1) . record(FCGI_PARAMS, 1, 'x' x 10, length => 65535), 'closed'],
    ['a record shorter than it says',      begin_record(1) . record(FCGI_PARAMS, 1, $get, length => length($get) - 7)
        . params('') . stdin(), '400/404/405/closed'],
    ['a record longer than it says',       begin_record(1) . record(FCGI_PARAMS, 1, $get, length => length($get) + 8)
        . params('') . stdin(), '400/404/405/200/closed'],
    ['a beginning of 0 bytes',             record(1, 1, '') . params($get) . stdin(), '200/closed'],
    ['a beginning of 3 bytes',             record(1, 1, "\0\1\0") . params($get) . stdin(), '200/closed'],
    ['a beginning of 100 bytes',           record(1, 1, pack('nCx5', 1, 0) . 'x' x 92) . params($get) . stdin(), '200/closed'],
    ['no parameters at all',               begin_record(1) . record(FCGI_PARAMS, 1, '') . stdin(), '400/404/405'],
    # versions and types
    ['version 2',                          record(1, 1, pack('nCx5', 1, 0), version => 2) . params($get) . stdin(), 'closed'],
    ['version 0',                          record(1, 1, pack('nCx5', 1, 0), version => 0) . params($get) . stdin(), 'closed'],
    ['version 2 in the middle',            begin_record(1) . record(FCGI_PARAMS, 1, $get, version => 2) . params('')
        . stdin(), 'closed/400/404/405'],
    ['version 255 of the body',            begin_record(1) . params($post) . record(FCGI_STDIN, 1, '{}', version => 255)
        . stdin(), 'closed/400'],
    ['type 99',                            begin_record(1) . record(99, 1, 'x') . params($get) . stdin(), '200/405/closed'],
    ['type 0',                             begin_record(1) . record(0, 1, 'x') . params($get) . stdin(), '200/405/closed'],
    ['type 99 first',                      record(99, 1, 'x') . whole(), '200/closed'],
    ['type 99 of the connection',          record(99, 0, 'x') . whole(), '200/closed'],
    ['1,000 of them',                      record(99, 0, 'x') x 1000 . whole(), '200/closed'],
    ['our own output',                     begin_record(1) . params($post) . record(FCGI_STDOUT, 1, "Status: 200\r\n\r\nx")
        . stdin('{}'), '200/400/closed'],
    ['our own end',                        begin_record(1) . params($post) . record(FCGI_END_RECORD, 1, "\0" x 8)
        . stdin('{}'), '200/400/closed'],
    ['data of a filter',                   begin_record(1) . params($get) . stdin() . record(FCGI_DATA, 1, 'x'), '200/closed'],
    ['parameters in front of all',         params($get) . whole(), '200/closed'],
    ['a body in front of all',             stdin('x') . whole(), '200/closed'],
    ['parameters behind the body',         begin_record(1) . params($post) . stdin('{}') . params($get), '200/closed'],
    ['a body among the parameters',        begin_record(1) . record(FCGI_PARAMS, 1, substr $post, 0, 60)
        . record(FCGI_STDIN, 1, '{}') . params(substr $post, 60) . stdin(), '200/400/404/405/closed'],
    # ids and roles
    ['the id 0',                           begin_record(0) . params($get, 0) . stdin('', 0), '200/closed'],
    ['parameters of another',              begin_record(1) . params($get, 2) . params($get) . stdin(), '200/405/closed'],
    ['a body of another',                  begin_record(1) . params($post) . stdin('evil', 2) . stdin('{}'), '200/400/closed'],
    ['all of another',                     begin_record(1) . params($get, 2) . stdin('', 2), '405/closed'],
    ['a beginning twice',                  begin_record(1) . begin_record(1) . params($get) . stdin(), '200/closed'],
    ['two beginnings',                     begin_record(1) . begin_record(2) . params($get) . stdin(), '200/closed'],
    ['a second beginning behind it',       begin_record(1) . params($post) . begin_record(2) . stdin('{}'), '200/400/closed'],
    (map { ["the role $_->[1]", begin_record(1, $_->[0]) . params($get) . stdin(), '200/400/404/405/closed'] } [0, 0],
    [2, 'of an authorizer'], [3, 'of a filter'], [99, 99], [65535, 65535]),
    # aborts
    ['an abort and no more',               record(FCGI_ABORT, 1, ''), 'closed'],
    ['an abort first',                     begin_record(1) . record(FCGI_ABORT, 1, ''), 'closed/any'],
    ['an abort among parameters',          begin_record(1) . record(FCGI_PARAMS, 1, substr $get, 0, 50)
        . record(FCGI_ABORT, 1, ''), 'closed/any'],
    ['an abort before the body',           begin_record(1) . params($post) . record(FCGI_ABORT, 1, ''), 'closed/any'],
    ['an abort in the body',               begin_record(1) . params($post) . record(FCGI_STDIN, 1, '{')
        . record(FCGI_ABORT, 1, ''), 'closed/any'],
    ['an abort behind the body',           begin_record(1) . params($post) . stdin('{}') . record(FCGI_ABORT, 1, ''), '200/closed'],
    ['an abort of another',                begin_record(1) . record(FCGI_ABORT, 7, '') . params($get) . stdin(), '200/405/closed'],
    ['an abort with content',              begin_record(1) . params($get) . record(FCGI_ABORT, 1, 'x' x 1000), 'closed/any'],
    # no FastCGI
    ['HTTP',                               "GET /v1/auth HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\n\r\n", 'closed'],
    ['TLS',                                "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" . 'x' x 600, 'closed'],
    ['zeros',                              "\0" x 100_000, 'closed'],
    ['ones',                               "\1" x 100_000, 'closed/any'],
    ['0xff',                               "\xff" x 100_000, 'closed'],
);

subtest 'frames' => sub {
    my $before = $exedra->pss_total_kb;
    # all at the same time, so that their silences pass together; and each once more with the writing end closed
    for my $closing (0, 1) {
        for my $batch (map { [@frames[$_ * 25 .. ($_ * 25 + 24 < $#frames ? $_ * 25 + 24 : $#frames)]] } 0 .. $#frames / 25) {
            my @under_way = map {
                my $connection = fcgi_open($socket);
                $connection->send($_->[1]);
                shutdown $connection->{socket}, 1 if $closing;
                [$_, $connection];
            } @$batch;
            my $began = time;
            for (@under_way) {
                my ($case, $connection) = @$_;
                my ($name, undef, $status) = @$case;
                $name .= ', then the end' if $closing;
                my $got = all_records($connection, $PATIENCE + 3 - (time - $began) > 0.5 ? $PATIENCE + 3 - (time - $began) : 0.5);
                $connection->close;
                if (!ok $got, "$name: it ends") {
                    diag 'the connection stays open';
                    next;
                }
                my $reply = reply_of($got->{records});
                my $is = $reply ? $reply->{status} : 'closed';
                # what is none is refused in words, or without
                ok $status =~ m{(?:^|/)(?:$is|any)(?:/|$)} || ($status =~ /closed/ && $is =~ /^(?:400|405)$/), "… with $is";
                ok !$reply || !defined inside_of($reply->{body}), '… and tells nothing';
            }
            cmp_ok time - $began, '<', 2 * $PATIENCE + allow_for(1), 'all within the time-out';
        }
    }
    $house->calm('frames');
    my $grown = $exedra->pss_total_kb - $before;
    cmp_ok $grown, '<', allow_for(16 * 1024), "lengths that lie take no memory: $grown kB";
};

# What was not sent whole is not done, however much of it there is.
subtest 'cut off in the middle' => sub {
    my @cuts = (
        # name, the records from all pairs and from all but the last
        ['no end of the parameters',     sub { begin_record(1) . record(FCGI_PARAMS, 1, $_[0]) }],
        ['the last one missing',         sub { begin_record(1) . record(FCGI_PARAMS, 1, $_[1]) }],
        ['in the last one',              sub { begin_record(1) . record(FCGI_PARAMS, 1, substr $_[0], 0, -150) }],
        ['a record cut',                 sub { begin_record(1) . substr(record(FCGI_PARAMS, 1, $_[0]), 0, -100) }],
        ['a record cut behind a pair',   sub { begin_record(1) . substr record(FCGI_PARAMS, 1, $_[0]), 0, 8 + length $_[1] }],
        ['an abort behind parameters',   sub { begin_record(1) . record(FCGI_PARAMS, 1, $_[0]) . record(FCGI_ABORT, 1, '') }],
        ['the end of another',           sub { begin_record(1) . record(FCGI_PARAMS, 1, $_[1]) . record(FCGI_PARAMS, 2, '') }],
    );
    my @sent;
    for my $how ('closed', 'silent') {
        for (@cuts) {
            my ($name, $bytes) = @$_;
            my $made = workspace($exedra, $key, "Cut $name $how")->{slug};
            # the last one might be EXEDRA_TENANT: the request means something else without it
            my $delete = cgi_variables(DELETE => "/v1/workspace/$made", headers => $auth);
            my $most = pairs([map { ($_ => $delete->{$_}) } sort keys %$delete]);
            my $connection = fcgi_open($socket);
            $connection->send($bytes->($most . pairs([X_LAST => 'x' x 300]), $most));
            $connection->close if $how eq 'closed';
            push @sent, ["$name, then $how", $made, $how eq 'silent' ? $connection : ()];
        }
    }
    for (@sent) {
        my ($name, $slug, $connection) = @$_;
        ok all_records($connection, 2 * $PATIENCE + 2), "DELETE, $name: it ends" if $connection;
    }
    sleep 0.2;
    for (@sent) {
        my ($name, $slug) = @$_;
        is scalar @{ http($exedra, GET => "/v1/workspace/$slug",
            key => $key)->{json}{workspace} }, 1, "DELETE, $name: nothing is deleted";
    }
    $house->calm('cut requests');
};

# ---- what libfcgi dies of ----

# Debian's libfcgi ends the process when name and value together claim 2 GiB (its repair of CVE-2025-23016 looks at each
# alone).  Only the web server can send that.  The worker may be replaced; memory may not be touched, and the others go on.
subtest 'a pool of its own for the worst' => sub {
    my $pool = start_exedra(db => $db, settings => { processes => 2, threads => 32, 'body.timeout' => $PATIENCE },
        env => { %env, ASAN_OPTIONS => join ':', grep { $_ } $ENV{ASAN_OPTIONS}, 'allocator_may_return_null=1' });
    my $send = sub {
        my ($name, $bytes) = @_;
        my $connection = fcgi_open($pool->{socket});
        $connection->send($bytes);
        shutdown $connection->{socket}, 1;
        my $got = all_records($connection, asan() ? 15 : 5) or return fail "$name: it does not end";
        $connection->close;
        my $reply = reply_of($got->{records}) or return 1;
        return $reply->{status} =~ /^(?:[24]\d\d|503)$/ || fail "$name: $reply->{status} $reply->{body}";
    };
    for ([0x40000000, 0x40000000], [0x7ffffffd, 1], [0x7ffffffe, 0x7ffffffe], [1, 0x7ffffffd], [0x7fffffff, 0x7fffffff],
    [0x7ffffffe, 0]) {
        my ($name, $value) = @$_;
        ok $send->('lengths', begin_record(1) . params(four($name) . four($value) . 'x' x 20)
            . stdin()), sprintf 'lengths %x and %x', $name, $value;
        wait_for { my @pids = $pool->worker_pids; @pids == 2 } 10, 'workers to be replaced';
    }
    # management records
    my @asked = map {
        my ($name, $content) = @$_;
        my $connection = fcgi_open($pool->{socket});
        $connection->send(record(FCGI_GET_VALUES, 0, $content));
        [$name, $connection];
    } (
        ['what may be asked',   pairs([FCGI_MAX_CONNS => '', FCGI_MAX_REQS => '', FCGI_MPXS_CONNS => ''])],
        ['nothing',             ''],
        ['what nobody knows',   pairs([EVIL => '', X => 'y' x 1000])],
        ['10,000 bytes',        pairs([map { ("N$_" => '') } 1 .. 1500])],
        ['a length that lies',  "\xff\xff\xff\xff\xff\xff\xff\xff"],
    );
    for (@asked) {
        my ($name, $connection) = @$_;
        my $got = eval { $connection->next_record(0.3) };
        ok !$got || $got->{type} == FCGI_GET_VALUES_RESULT, "$name: " . ($got ? 'an answer' : 'none');
        $connection->send(whole());
    }
    for (@asked) {
        my ($name, $connection) = @$_;
        my $all = all_records($connection, $PATIENCE + 2);
        ok $all, "$name: it ends";
        is reply_of($all->{records})->{status}, 200, '… with a request behind it' if $all && @{ $all->{records} };
        $connection->close;
    }
    my $connection = fcgi_open($pool->{socket});
    $connection->send(record(77, 0, 'x'));
    my $got = eval { $connection->next_record($PATIENCE + 1) };
    ok !$got || $got->{type} == FCGI_UNKNOWN, 'a type that nobody knows is called so, or the end';
    $connection->close;
    srand 7;
    my $good = begin_record(1) . params(pairs(cgi_variables(GET => '/v1/auth'))) . stdin();
    my @wrong = grep {
        my $round = $_;
        my $bytes = $good;
        # a few bytes of a good request changed, some taken out, some put in
        substr($bytes, rand length $bytes, 1) = chr rand 256 for 0 .. rand 4;
        substr($bytes, rand length $bytes, rand 20) = '' if $round % 3 == 1;
        substr($bytes, rand length $bytes, 0) = join '', map { chr rand 256 } 0 .. rand 20 if $round % 3 == 2;
        !$send->("round $round", $bytes);
    } 1 .. 600;
    is @wrong, 0, '600 requests, each a little broken';
    wait_for { my @pids = $pool->worker_pids; @pids == 2 } 10, 'workers to be replaced';
    is http($pool, GET => '/v1/auth', key => $key)->{status}, 200, 'and all is well';
    my $log = $pool->log_text;
    # the allocator's word on 2 GiB is what was asked for
    $log =~ s/^.*(?:failed to allocate|requested allocation size).*\n//mg;
    is sanitizer_report($log), undef, 'no memory was touched';
    unlike $log, qr/signal=11/, 'nor reached for in vain';
    is $pool->end =~ s/^exedra: .*(?:failed to allocate|requested allocation size).*//r, '', 'the pool ends well';
};

# ---- connections that are kept ----

# One request on a kept connection.
sub ask_kept {
    my ($connection, $params, $body, %with) = @_;
    $connection->send(begin_record($with{id} // 1, 1, 1) . params($params, $with{id}) . stdin($body, $with{id}));
    return $connection->reply(5);
}

subtest 'kept connections' => sub {
    my $connection = fcgi_open($socket);
    my %seen;
    for my $n (1 .. 200) {
        my ($params, $body, $expected) = @{ [
            [$get, '', 200], [params_of(GET => '/v1/none'), '', 404], [pairs(cgi_variables(GET => '/v1/auth')), '', 403],
            [params_of(POST => '/v1/workspace/hall/update', params => { CONTENT_LENGTH => 2 }), '{}', 200],
            [params_of(GET => '/v1/auth', params => { CONTENT_LENGTH => 1000 }), 'x' x 1000, 200],
            [params_of(POST => '/v1/auth', params => { CONTENT_LENGTH => 1000 }), 'x' x 1000, 405],
        ]->[$n % 6] };
        my $got = eval { ask_kept($connection, $params, $body, id => $n) };
        if (!$got || !$got->{ended}) {
            # the server may close behind a body that it did not read
            $connection->close;
            $connection = fcgi_open($socket);
            $seen{reopened}++;
            $got = ask_kept($connection, $params, $body, id => $n);
        }
        is $got->{status}, $expected, "request $n" if $got->{status} != $expected;
        $seen{$got->{status}}++;
    }
    cmp_ok $seen{reopened} // 0, '<=', 100, '200 requests on ' . (1 + ($seen{reopened} // 0)) . ' connections';
    $connection->close;

    # what is left of a body that nobody wants must not become the next request
    my $smuggled = begin_record(1, 1, 1) . params(params_of(DELETE => '/v1/workspace/hall')) . stdin();
    for (
        ['of a wrong key',   pairs(cgi_variables(POST => '/v1/workspace/new',
            headers => { Authorization => 'Bearer wrong' }, params => { CONTENT_LENGTH => 200_000 })), 403],
        ['without a key',    pairs(cgi_variables(POST => '/v1/workspace/new', params => { CONTENT_LENGTH => 200_000 })), 403],
        ['of a wrong path',  params_of(POST => '/v1/none', params => { CONTENT_LENGTH => 200_000 }), 404],
        ['that is too long', params_of(POST => '/v1/workspace/new', params => { CONTENT_LENGTH => 9 << 20 }), 413],
        ['of a GET',         params_of(GET => '/v1/auth', params => { CONTENT_LENGTH => 200_000 }), 200],
        ['longer than said', params_of(POST => '/v1/workspace/hall/update', params => { CONTENT_LENGTH => 2 }), '200/400'],
    ) {
        my ($name, $params, $status) = @$_;
        my $connection = fcgi_open($socket);
        my $body = $smuggled . 'x' x (200_000 - length $smuggled);
        my $other = pairs(cgi_variables(GET => '/v1/workspaces', headers => { Authorization => 'Bearer ' . $house->{beta}{key} }));
        $connection->send(begin_record(1, 1, 1) . params($params)
            . join('', map { record(FCGI_STDIN, 1, $_) } unpack '(a60000)*', $body) . record(FCGI_STDIN, 1, ''));
        my $got = eval { $connection->reply(5) };
        ok $got && $status =~ /\b$got->{status}\b/, "a body $name: " . ($got ? $got->{status} : 'nothing');
        $connection->send(begin_record(2, 1, 1) . params($other, 2) . stdin('', 2));
        my $next = eval { $connection->reply($PATIENCE + 2) };
        ok !$next || !$next->{status} || $next->{body} eq '{"workspaces":[]}', '… and the next request is itself, or none';
        $connection->close;
    }
    is http($exedra, GET => '/v1/workspace/hall', key => $key)->{json}{workspace}[0]{slug}, 'hall', 'nothing was smuggled';

    # two at once, before the first is answered
    $connection = fcgi_open($socket);
    my $beta = pairs(cgi_variables(GET => '/v1/workspaces', headers => { Authorization => 'Bearer ' . $house->{beta}{key} }));
    $connection->send(begin_record(1, 1, 1) . params(params_of(GET => '/v1/workspaces')) . stdin()
        . begin_record(2, 1, 1) . params($beta, 2) . stdin('', 2));
    my $first = eval { $connection->reply(5) };
    like $first->{body}, qr/"slug":"hall"/, 'two requests at once: the first is answered';
    my $second = eval { $connection->reply($PATIENCE + 2) };
    ok !$second || !$second->{ended} || $second->{body} eq '{"workspaces":[]}', '… the second too, or the connection ends';
    $connection->close;

    # kept and then silent
    $connection = fcgi_open($socket);
    ask_kept($connection, $get, '');
    my $began = time;
    my $end = eval { $connection->fill($PATIENCE + 3) };
    ok defined $end && $end == 0, 'a kept connection that is silent is closed';
    cmp_ok time - $began, '<', $PATIENCE + allow_for(1), '… in time';
    $connection->close;
    $house->calm('kept connections');
};

# ---- slow, and gone ----

subtest 'slow peers' => sub {
    my @parts = unpack '(a120)*', whole();
    my $connection = fcgi_open($socket);
    for (@parts) {
        $connection->send($_);
        sleep $PATIENCE * 0.4;
    }
    is eval { $connection->reply(5)->{status} }, 200, 'a request in pieces, each in time';
    $connection->close;

    # a reply of 7 MiB
    my $made = http($exedra, POST => '/v1/workspace/new', key => $key,
        json => { name => 'Large', openAiPrompt => 'p' x (7 << 20) });
    is $made->{status}, 200, 'a large workspace';
    my $large = begin_record(1) . params(params_of(GET => '/v1/workspace/large')) . stdin();
    $connection = fcgi_open($socket);
    $connection->send($large);
    my $bytes = 0;
    while (1) {
        sleep 0.01;
        my $got = sysread $connection->{socket}, my $some, 200_000;
        last if !$got;
        $bytes += $got;
    }
    cmp_ok $bytes, '>', 7 << 20, 'read slowly, it comes whole';
    $connection->close;

    my @stuck = map { my $c = fcgi_open($socket); $c->send($large); $c } 1 .. 4;
    my $began = time;
    sysread $_->{socket}, my $some, 1024 for @stuck;
    wait_for { () = $exedra->log_text =~ /gone=yes/g; scalar(() = $exedra->log_text =~ /route="\/v1\/workspace\/\{slug\}" .*gone=yes/g) >= 4 } $PATIENCE + 4, 'those that do not read to be given up';
    cmp_ok time - $began, '<', 2 * $PATIENCE + allow_for(2), 'who does not read is given up';
    $_->close for @stuck;

    for my $size (1024, 70_000, 3_000_000) {
        my $c = fcgi_open($socket);
        $c->send($large);
        my $read = 0;
        $read += sysread($c->{socket}, $some, $size - $read) || last while $read < $size;
        $c->close;
        pass "gone after $read bytes";
    }
    http($exedra, DELETE => '/v1/workspace/large', key => $key);
    $house->calm('slow peers');
};

subtest 'aborted streams' => sub {
    # a model that never ends: it notes when its caller has gone
    my $gone = tmp_dir() . '/gone';
    my $model = start_model(answer => sub {
        my ($client, $request) = @_;
        my ($what) = ($request->{body} // '') =~ /(case-\d+-\w+)/;
        my $say = sub { my $event = "data: $_[0]\n\n"; syswrite $client, sprintf "%x\r\n%s\r\n", length $event, $event };
        syswrite $client, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        $say->('{"choices":[{"index":0,"delta":{"content":"first "}}]}') if $what !~ /mute/;
        for (1 .. 100) {
            vec(my $bits = '', fileno $client, 1) = 1;
            my $left = select($bits, undef, undef, 0.1) && !sysread $client, my $end, 1;
            $left ||= !defined $say->('{"choices":[{"index":0,"delta":{"content":"more "}}]}') if $what =~ /talks/;
            next if !$left;
            open my $out, '>>', $gone or die;
            syswrite $out, "$what\n";
            last;
        }
        exit 0;
    });
    my $slow = start_exedra(db => $db, settings => { processes => 1, threads => 128, 'body.timeout' => 20,
        'llm.url' => $model->{url}, 'llm.model' => 'm' });
    my ($n, @left) = (0);
    for my $kind (qw(talks silent mute)) {
        for (
            # how it goes away; with the request, or later
            ['closes',                        sub { $_[0]->close }],
            ['closes its writing end',        sub { shutdown $_[0]{socket}, 1 }],
            ['sends an abort',                sub { $_[0]->send(record(FCGI_ABORT, 1, '')) }],
            # An abort in the same write as the end of the body lies in libfcgi's buffer, where it is not seen; what a web
            # server does besides, closing, is.
            ['sends an abort and closes',     sub { $_[0]->send(record(FCGI_ABORT, 1, '')); $_[0]->close }],
        ) {
            my ($how, $leave, $behind) = @$_;
            for my $streamed (1, 0) {
                my $what = 'case-' . ++$n . "-$kind";
                my $body = json_text({ message => $what, sessionId => $what });
                my $connection = fcgi_open($slow->{socket});
                $connection->send(begin_record(1) . params(params_of(POST => '/v1/workspace/hall/'
                    . ($streamed ? 'stream-chat' : 'chat'),
                    params => { CONTENT_LENGTH => length $body })) . stdin($body) . ($behind // ''));
                wait_for { grep { $_->{body} =~ /$what\b/ } $model->requests } 20, 'the model to be asked' if !$behind;
                $connection->next_record(5) if $streamed && !$behind && $kind ne 'mute';
                $leave->($connection) if $leave;
                push @left, [$what, time, "$how from " . ($streamed ? 'a stream' : 'a whole reply')
                    . ", the model $kind", $connection];
            }
        }
    }
    for (@left) {
        my ($what, undef, $name) = @$_;
        my $noticed = eval { wait_for { -e $gone && slurp($gone) =~ /^$what$/m } 2.5, 'it' };
        ok $noticed, "who $name: the model is let go" or next;
        my $state = '';
        eval { wait_for { ($state = psql($db, "SELECT state FROM exedra.chat WHERE prompt = '$what'")) ne 'open' } 2.5, 'the row' };
        is $state, 'stopped', '… and the chat is stopped' or diag psql($db,
            "SELECT state, reason, answer FROM exedra.chat WHERE prompt = '$what'");
    }
    my $texts = psql($db, "SELECT count(*) FROM exedra.chat WHERE prompt LIKE 'case-%talks' AND answer LIKE 'first %'");
    cmp_ok $texts, '>=', 8, 'what came is kept';
    is http($slow, GET => '/v1/auth', key => $key)->{status}, 200, 'and others are served';
    $_->[3]->close for @left;
    ok $slow->stop, 'ends well';
};

subtest 'what comes behind the body of a stream' => sub {
    my $model = start_model(deltas => ['a '], pause => 0.6);
    my $slow = start_exedra(db => $db, settings => { processes => 1, 'llm.url' => $model->{url}, 'llm.model' => 'm' });
    for (
        ['nothing',                 ''],
        ['a question',              record(FCGI_GET_VALUES, 0, pairs([FCGI_MAX_CONNS => '']))],
        ['more of the body',        record(FCGI_STDIN, 1, 'more')],
        ['the end once more',       record(FCGI_STDIN, 1, '')],
        ['another request',         begin_record(2) . params($get, 2) . stdin('', 2)],
        ['an abort of another',     record(FCGI_ABORT, 2, '')],
        ['half a record',           "\1"],
        ['nonsense',                'x' x 100],
    ) {
        my ($name, $bytes) = @$_;
        my $body = json_text({ message => 'Slowly' });
        my $connection = fcgi_open($slow->{socket});
        $connection->send(begin_record(1) . params(params_of(POST => '/v1/workspace/hall/stream-chat',
            params => { CONTENT_LENGTH => length $body })) . stdin($body));
        sleep 0.1;
        my $before = cpu_s($slow->worker_pids);
        $connection->send($bytes);
        my $got = eval { $connection->reply(5) };
        ok $got, "$name: the stream ends";
        like $got->{body}, qr/finalizeResponseStream/, '… as it should' if $name =~ /^(?:nothing|a question|the end once more)$/;
        my $used = cpu_s($slow->worker_pids) - $before;
        cmp_ok $used, '<', 0.15, "… and nobody spins meanwhile: $used s of processor time";
        $connection->close;
    }
    ok $slow->stop, 'ends well';
};

# ---- as CGI ----

# A reply without what differs between any two.
sub comparable {
    my ($got) = @_;
    my %headers = %{ $got->{headers} };
    $headers{'x-request-id'} = 'some' if $headers{'x-request-id'};
    (my $body = $got->{body}) =~ s/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/uuid/g;
    $body =~ s/"(?:prompt|total)_tokens":\d+/tokens/g;         # the second has a history
    $body =~ s/"(?:timestamp|createdAt|lastUpdatedAt|published)":"[^"]*"|"(?:duration|outputTps|chatId|sentAt|created)":[^,}]*/time/g;
    $headers{'content-length'} = length $body if defined $headers{'content-length'};
    return join "\n", $got->{status}, (map { "$_: $headers{$_}" } sort keys %headers), $body;
}

subtest 'as CGI' => sub {
    my $cgi = start_cgi(db => $db);
    document($exedra, $key, 'river', 'The river flows to the sea.', 'hall');
    my $name = http($exedra, GET => '/v1/documents', key => $key)->{json}{localFiles}{items}[0]{items}[0]{name};
    my $json = { 'Content-Type' => 'application/json' };
    for (
        [GET => '/ping'], [GET => '/livez'], [GET => '/readyz'], [HEAD => '/ping'], [GET => '/v1/auth'],
        [GET => '/v1/auth', key => $key], [GET => '/api/v1/auth', key => $key],
        [GET => '/v1/auth', key => 'wrong'], [GET => '/v1/none', key => $key], [POST => '/v1/auth', key => $key],
        [OPTIONS => '/v1/auth', headers => { Origin => 'https://x.test' }],
        [GET => '/v1/workspaces', key => $key], [GET => '/v1/workspace/hall', key => $key],
        [GET => '/v1/workspace/ha%6Cl', key => $key], [GET => '/v1/workspace/a%2Fb', key => $key],
        [GET => '/v1/workspace/%00', key => $key], [GET => '/v1//auth', key => $key], [GET => '/v1/workspace/..', key => $key],
        [GET => '/v1/documents', key => $key],
        [GET => '/v1/documents?folder=none', key => $key], [GET => "/v1/document/$name", key => $key],
        [GET => '/v1/workspace/hall/chats?limit=1', key => $key], [GET => '/v1/models', key => $key],
        [POST => '/v1/workspace/hall/update', key => $key, json => {}],
        [POST => '/v1/workspace/hall/update', key => $key, json => { openAiTemp => 0.5 }],
        [POST => '/v1/workspace/hall/update', key => $key, json => { topN => 'x' }],
        [POST => '/v1/workspace/hall/update', key => $key, body => '{', headers => $json],
        [POST => '/v1/workspace/hall/update', key => $key, body => '{"a":1,"a":2}', headers => $json],
        [POST => '/v1/workspace/hall/update', key => $key, body => 'x=y'],
        [POST => '/v1/workspace/hall/update', key => $key, body => ''],
        [POST => '/v1/workspace/hall/update', key => $key, body => '{}', headers => { 'Content-Encoding' => 'gzip' }],
        [POST => '/v1/workspace/hall/update', body => '{}'],
        [POST => '/v1/workspace/hall/update', key => 'wrong', body => ' ' x 200_000],
        [POST => '/v1/workspace/new', key => $key, body => ' ' x ((8 << 20) + 1)],
        [POST => '/v1/workspace/hall/chat', key => $key, json => { message => 'Where does the river flow?', sessionId => 'cgi' }],
        [POST => '/v1/workspace/hall/stream-chat', key => $key,
            json => { message => 'Where does the river flow?', sessionId => 'cgi' }],
        [POST => '/v1/workspace/hall/chat', key => $key, json => { message => '' }],
        [POST => '/v1/workspace/none/chat', key => $key, json => { message => 'x' }],
        [POST => '/v1/chat/completions', key => $key, json => { model => 'hall', messages => [{ role => 'user', content => 'river' }] }],
        [DELETE => '/v1/workspace/none', key => $key], [GET => '/team/v1/auth', key => $key, params => { SCRIPT_NAME => '/team' }],
        [GET => '/nice', key => $key, params => { SCRIPT_NAME => '/exedra.cgi', PATH_INFO => '/v1/auth' }],
        [GET => '/v1/auth', key => $key, params => { EXEDRA_TENANT => 'beta' }],
        [GET => '/x', key => $key, params => { REQUEST_URI => undef, PATH_INFO => '/v1/auth' }], [BREW => '/v1/auth', key => $key],
    ) {
        my ($method, $target, %with) = @$_;
        my ($pool, $once) = map { http($_, $method => $target, %with) } $exedra, $cgi;
        is comparable($once), comparable($pool), "$method $target: $pool->{status}";
        is $once->{exit}, 0, '… and the program ends well' if $once->{exit} || sanitizer_report($once->{err});
    }
    for (
        # CONTENT_LENGTH, stdin, status
        [2, '{}', 200], [100, '{}', 400], [2, '{} and more of another', '200/400'], [0, '{"topN":"x"}', '200/400'],
        ['', '{"topN":"x"}', '200/400'], [undef, '{"topN":"x"}', '200/400'], ['x', '{}', 400], [-1, '{}', 400],
        ['9' x 30, '{}', 400], [9 << 20, '{}', 413],
    ) {
        my ($length, $stdin, $status) = @$_;
        my $got = cgi($cgi->{program}, cgi_variables(POST => '/v1/workspace/hall/update', headers => $auth,
            params => { CONTENT_LENGTH => $length }), $stdin);
        check_reply('CONTENT_LENGTH ' . ($length // 'missing') . " and '$stdin'", $got, $status);
    }
};

subtest 'the environment of CGI is not to be trusted' => sub {
    my $trap = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 10) or die;
    my $proxy = 'http://127.0.0.1:' . $trap->sockport;
    my $model = start_model(deltas => ['Straight ', 'from me.']);
    my $cgi = start_cgi(db => $db, settings => { 'llm.url' => $model->{url}, 'llm.model' => 'm' });
    my $got = http($cgi, POST => '/v1/workspace/hall/chat', key => $key, json => { message => 'x' }, params => {
        HTTP_PROXY => $proxy, http_proxy => $proxy, HTTPS_PROXY => $proxy, ALL_PROXY => $proxy, all_proxy => $proxy, HTTP_ALL_PROXY => $proxy,
        HTTP_EXEDRA_SET_LLM_URL => $proxy, HTTP_EXEDRA_SET_DB_URL => "host=127.0.0.1 port="
            . $trap->sockport, HTTP_PGHOST => '127.0.0.1', HTTP_LD_PRELOAD => '/nowhere.so',
        HTTP_EXEDRA_TENANT => 'beta', HTTP_REMOTE_USER => 'admin', HTTP_PATH => '/nowhere', HTTP_SSL_CERT_FILE => '/nowhere', HTTP_GCONV_PATH => '/nowhere',
    });
    check_reply('with proxies and settings for headers', $got, 200, like => qr/Straight from me\./);
    ok quiet_fd($trap, 0), 'nobody was called';
    $got = http($cgi, GET => '/v1/auth', params => { HTTP_AUTHORIZATION => undef, REMOTE_USER => 'admin', AUTHORIZATION => "Bearer $key", REDIRECT_REMOTE_USER => 'admin' });
    check_reply('a user of the web server is no key', $got, 403);
    for my $env ({ PATH => '' }, { PATH => undef, HOME => undef, LANG => undef }, { LC_ALL => 'de_DE.UTF-8', LANG => 'xx', TZ => 'Asia/Tokyo' }, { TZ => ':' . 'x' x 5000 }, { TMPDIR => '/nowhere' }) {
        $got = cgi($cgi->{program}, { %$env, %{ cgi_variables(GET => '/v1/workspace/hall', headers => $auth) } });
        check_reply('with ' . join(' ', map { "$_=" . substr $env->{$_} // 'unset', 0, 20 } sort keys %$env), $got, 200,
            like => qr/"similarityThreshold":0\.25/);
    }
    is run([@{ $cgi->{program} }], env => { REQUEST_METHOD => 'GET', GATEWAY_INTERFACE => 'CGI/1.1' })->{status}, 0,
        'next to no variables: it ends well';
};

$house->close;
done_testing;
