# SPDX-License-Identifier: ISC
#
# A pool of one worker whose n-th allocation, call of libpq or libcurl, or write can be made to fail, by t/torture/fail.so;
# requests that are asked of it while they do; and what must hold then.
#
#   my $torture = Exedra::Torture->new;
#   my $runs = $torture->series('stream', 'memory', every => 7);
#   ok !@{ $torture->{wrong} };
package Exedra::Torture;
use strict;
use warnings;

use Cwd ();
use Exporter qw(import);
use POSIX ();
use Exedra::Answer qw(question judge rows_of);
use Exedra::Http qw(http);
use Exedra::Ledger qw(words);
use Exedra::Postgres qw(database psql);
use Exedra::Process qw(tmp_dir slurp spew program build_dir run is_alive wait_for fds);
use Exedra::Provider qw(start_provider $KEY);
use Exedra::Server qw(start_exedra);

our @EXPORT = qw(%FAULTS);

# What can be made to fail: the numbers are fail.c's.
our %FAULTS = (
    'memory' => { kind => 1 },
    'memory, for a while' => { kind => 1, lasting => 300 },
    'a call of libpq' => { kind => 2 },
    'the connection to PostgreSQL' => { kind => 3 },
    'a call of libcurl' => { kind => 4 },
    'a write: EPIPE' => { kind => 5, error => POSIX::EPIPE() },
    'a write: ENOSPC' => { kind => 5, error => POSIX::ENOSPC() },
    'a write: half' => { kind => 5, error => 0 },
);
my %THREADS = (requests => 1, upkeep => 2, all => 3);

my $NEVER = 0xffff_ffff;        # no call has this number
my $PATIENCE_S = 20;            # for an answer: the closing commit alone is tried for ten
my $SETTLED_S = 5;              # until nothing of it is open any more
my @STATUSES = (200, 500, 502, 503, 504);

my $library = Cwd::abs_path(build_dir() . '/t/torture/fail.so');

# ---- the pool ----

sub new {
    my ($class) = @_;
    my $self = bless { wrong => [], db => database(), provider => start_provider(), file => tmp_dir() . '/torture', run => 0 }, $class;
    die "$library is missing: make t/torture/fail.so\n" if !-e $library;
    spew($self->{file}, "\0" x 4096);
    # A setting of libcurl's that fails must not send a question elsewhere: this proxy is nobody.
    # AddressSanitizer wants to be the first library; behind ours it does as well.
    my %env = (LD_PRELOAD => $library, ASAN_OPTIONS => join(':', $ENV{ASAN_OPTIONS} // (), 'verify_asan_link_order=0'), TORTURE_FILE => $self->{file}, http_proxy => 'http://127.0.0.1:1', ALL_PROXY => 'http://127.0.0.1:1');
    # One connection: one that is lost is missed by the next request.
    $self->{exedra} = start_exedra(db => $self->{db}, env => \%env, settings => {
        processes => 1, threads => 16, drain => 10, 'db.pool' => 1, 'db.timeout' => 1, 'llm.url' => $self->{provider}{url}, 'llm.key' => $KEY,
        'llm.model' => 'say', 'llm.timeout.first' => 3, 'llm.timeout.idle' => 3,
    });
    my $acme = Exedra::Test::tenant($self->{db}, 'acme');
    $self->{key} = $acme->{key};
    $self->{slug} = Exedra::Test::workspace($self->{exedra}, $self->{key}, 'Hall', chatMode => 'chat', openAiPrompt => 'Be brief.', openAiHistory => 1)->{slug};
    $self->find_worker;
    return $self;
}

sub find_worker {
    my ($self) = @_;
    $self->{exedra}->wait_ready;
    wait_for { ($self->{worker}) = $self->{exedra}->worker_pids } 10, 'a worker';
    return $self->{worker};
}

# Has it died?  Then there is another one.
sub worker_died {
    my ($self) = @_;
    return 0 if is_alive($self->{worker});
    $self->find_worker;
    return 1;
}

# ---- orders ----

# From now on calls of this kind are counted, and the n-th fails.  `threads` is whose: requests (the default), upkeep, all;
# `anybody` counts whoever is not the master.
sub arm {
    my ($self, $fault, $n, %with) = @_;
    my %fault = %{ $FAULTS{$fault} // die "no fault '$fault'\n" };
    my @order = ($with{anybody} ? 0 : $self->{worker}, $self->{exedra}{pid}, $fault{kind}, $fault{error} // 0, $n, $fault{lasting} // 0,
        $THREADS{$with{threads} // 'requests'});
    $self->put(pack 'L10 x2048', 0, @order, 0, 0);
    $self->put(pack 'L', 1);
}

sub put {
    my ($self, $bytes) = @_;
    open my $file, '+<:raw', $self->{file} or die "$self->{file}: $!\n";
    syswrite $file, $bytes;
    close $file;
}

# Nothing fails any more.  Returns { seen, failed, where }: how many calls there were and how many failed, and who called the first.
sub disarm {
    my ($self) = @_;
    $self->put(pack 'L', 0);
    my @order = unpack 'L10 Z2048', slurp($self->{file});
    return { seen => $order[8], failed => $order[9], where => $order[10] };
}

# Addresses as functions and lines, where addr2line is there and knows them.
sub symbols {
    my ($where) = @_;
    my @frames = grep { length } split / /, $where;
    my @ours = map { /^exedra\+0x([0-9a-f]+)$/ ? sprintf('%x', hex($1) - 1) : () } @frames;
    return $where if !@ours || !program('addr2line');
    my @lines = split /\n/, run([program('addr2line'), '-s', '-f', '-e', program('exedra'), @ours])->{out};
    my @named = map { "$lines[2 * $_] ($lines[2 * $_ + 1])" } 0 .. $#lines / 2;
    my ($first) = $frames[0] =~ /^exedra\+/ ? () : "$frames[0] <- ";
    return ($first // '') . join ' <- ', @named > 6 ? @named[0 .. 5] : @named;
}

# ---- requests ----

# Each answers to a name and returns { said, wrong => [...], ... }; `said` is complete, told (an error), cut or closed.
my %REQUESTS = (
    workspaces => { ask => sub { $_[0]->ask_plain($_[1], GET => '/v1/workspaces', {}, sub { ($_[0]{workspaces}[0]{slug} // '') eq 'hall' }) } },
    upload => { ask => \&ask_upload, check => \&check_uploads },
    beside => { one => \&one_beside, ask => sub { $_[0]->ask_chat($_[1], 'stream') }, check => \&check_chats },
    start => { one => \&one_start, ask => sub { $_[0]->ask_chat($_[1], 'stream') } },
    map({ my $way = $_; ($way => { ask => sub { my ($self, $name, @with) = @_; $self->ask_chat($name, $way, @with) }, check => \&check_chats }) } qw(chat stream completion chunks)),
);

sub reply_of {
    my ($self, $method, $target, %with) = @_;
    my $got = eval { http($self->{exedra}, $method => $target, key => $self->{key}, timeout => $PATIENCE_S, %with) }
        or return { said => 'nothing', wrong => ["no answer: $@"] };
    my @wrong;
    my $length = $got->{headers}{'content-length'};
    $got->{cut} = !$got->{ended} || (defined $length && length $got->{body} < $length);
    if (!$got->{status}) {
        return { said => 'closed', wrong => [$got->{ended} ? 'an end without an answer' : ()] };
    }
    push @wrong, "status $got->{status}: " . substr $got->{body}, 0, 200 if !grep { $_ == $got->{status} } @STATUSES;
    push @wrong, 'fewer bytes than were announced, and yet an end' if $got->{cut} && $got->{ended};
    return { got => $got, wrong => \@wrong };
}

# A request that has one answer, which the sub looks at.
sub ask_plain {
    my ($self, $name, $method, $target, $with, $good) = @_;
    my $run = $self->reply_of($method, $target, %$with);
    my $got = $run->{got} or return $run;
    my $words = ref $got->{json} eq 'HASH' ? $got->{json}{error} // $got->{json}{message} : undef;
    $run->{said} = $got->{cut} ? 'cut' : $got->{status} == 200 ? 'complete' : 'told';
    push @{ $run->{wrong} }, 'the answer is not what it should be: ' . substr $got->{body}, 0, 200 if $run->{said} eq 'complete' && !(ref $got->{json} eq 'HASH' && $good->($got->{json}));
    push @{ $run->{wrong} }, 'an error without words: ' . substr $got->{body}, 0, 200 if $run->{said} eq 'told' && !length($words // '');
    return $run;
}

sub ask_upload {
    my ($self, $name) = @_;
    my $text = join ' ', map { "$name is word $_ of many." } 1 .. 60;
    # a short one takes few calls, and yet all kinds of them
    my $json = { textContent => $text, metadata => { title => $name } };
    my $run = $self->ask_plain($name, POST => '/v1/document/raw-text', { json => $json }, sub { ($_[0]{documents}[0]{pageContent} // '') eq $text });
    return { %$run, text => $text };
}

sub ask_chat {
    my ($self, $name, $way, %with) = @_;
    my ($n, $pause) = ($with{n} // 3, $with{pause} // 0);
    my $question = "say $name n=$n pause=$pause";
    my ($target, $body) = question($way, slug => $self->{slug}, message => $question);
    # a conversation of its own: histories stay short
    $body->{sessionId} = $name if $way =~ /^(?:chat|stream)$/;
    my $run = { %{ $self->reply_of(POST => $target, json => $body) }, question => $question, whole => words($name, $n) };
    my $got = delete $run->{got} or return $run;
    my $answer = $run->{answer} = judge($way, { %$got, whole => !$got->{cut} });
    push @{ $run->{wrong} }, $answer->{wrong} if $answer->{wrong} && !$got->{cut};
    push @{ $run->{wrong} }, 'what came is not what was said' if substr($run->{whole}, 0, length $answer->{text}) ne $answer->{text};
    $run->{said} = $answer->{complete} ? 'complete' : $answer->{error} ? 'told' : 'cut';
    push @{ $run->{wrong} }, 'neither complete nor an error nor cut: ' . substr $got->{body}, -200 if $run->{said} eq 'cut' && !$got->{cut};
    return $run;
}

# ---- what is on record ----

sub check_chats {
    my ($self, @runs) = @_;
    my $open = sub { psql($self->{db}, "SELECT count(*) FROM exedra.open_chat") };
    eval { wait_for { $open->() == 0 } $SETTLED_S, 'x' };
    my $rows = rows_of($self->{db});
    my %asked;
    push @{ $asked{$_->{question}} }, $_ for $self->{provider}->requests;
    for my $run (@runs) {
        my @mine = @{ $rows->{$run->{question}} // [] };
        my ($row, $answer, $whole) = ($mine[0], $run->{answer} // { text => '' }, $run->{whole});
        my @asked = @{ $asked{$run->{question}} // [] };
        my @wrong;
        push @wrong, @mine . ' rows' if @mine > 1;
        push @wrong, 'it is not on record' if !$row && (@asked || length $answer->{text});
        push @wrong, Exedra::Ledger::row_wrong($row, $whole, '') if $row;
        push @wrong, Exedra::Ledger::complete_wrong($answer, $whole, $row) if $run->{said} eq 'complete';
        push @wrong, "asked for as $_->{method} with " . ($_->{headers}{authorization} // 'no key')
            for grep { $_->{method} ne 'POST' || ($_->{headers}{authorization} // '') ne "Bearer $KEY" || !$_->{json} || ($_->{headers}{'content-type'} // '') ne 'application/json' } @asked;
        push @{ $run->{wrong} }, map { $row ? "$_ (the row is $row->{state} " . ($row->{reason} // '') . ')' : $_ } @wrong;
    }
}

# A document is there whole, or not at all; what upkeep sweeps up after a while leaves nothing behind.
sub check_uploads {
    my ($self, @runs) = @_;
    my $left = psql($self->{db}, q{
        SELECT count(*) * 0 FROM exedra.sweep_documents(0);
        SELECT (SELECT count(*) FROM exedra.document_version v WHERE NOT EXISTS (
                SELECT FROM exedra.document d WHERE d.tenant_id = v.tenant_id AND d.version_id = v.id)) || ' versions, '
            || (SELECT count(*) FROM exedra.file f WHERE NOT EXISTS (
                SELECT FROM exedra.document d WHERE d.tenant_id = f.tenant_id AND d.file_id = f.id)) || ' files'});
    push @{ $self->{wrong} }, "$1 without a document" if $left =~ /(.* versions, .* files)/ && $1 ne '0 versions, 0 files';
    my %rows;
    for (split /\n/, psql($self->{db}, q{SELECT d.title, v.n_chunks = (SELECT count(*) FROM exedra.chunk c
            WHERE c.tenant_id = v.tenant_id AND c.version_id = v.id), (SELECT string_agg(t.text, '' ORDER BY t.no) FROM exedra.document_text t
            WHERE t.tenant_id = v.tenant_id AND t.version_id = v.id)
            FROM exedra.document d JOIN exedra.document_version v ON v.tenant_id = d.tenant_id AND v.id = d.version_id})) {
        my ($title, @row) = split /\t/;
        push @{ $rows{$title} }, \@row;
    }
    for my $run (@runs) {
        my @mine = @{ $rows{"$run->{name}.txt"} // [] };
        my @wrong;
        push @wrong, @mine . ' documents' if @mine > 1;
        push @wrong, 'it is not there' if !@mine && $run->{said} eq 'complete';
        push @wrong, 'it is half there' if grep { ($_->[0] // '') ne 't' || ($_->[1] // '') ne $run->{text} } @mine;
        push @{ $run->{wrong} }, @wrong;
    }
}

# ---- a series ----

# What a worker holds besides its connection to the database.
sub descriptors {
    my ($self) = @_;
    return fds($self->{worker}) - $self->connections;
}

sub connections {
    my ($self) = @_;
    return psql($self->{db}, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'exedra'");
}

# The connections that are kept are none any more: the next request makes its own.
sub chill {
    my ($self, $request) = @_;
    psql($self->{db}, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'exedra'");
}

sub ask {
    my ($self, $request, $name, %with) = @_;
    return { name => $name, %{ $REQUESTS{$request}{ask}->($self, $name, %with) } };
}

# What goes on beside requests: an order for all threads but theirs, while a long answer is on its way.  It may end the worker.
sub one_beside {
    my ($self, $fault, $n) = @_;
    my $name = 'r' . ++$self->{run};
    # longer than two rounds of what is done each second
    $self->arm($fault, $n, threads => 'upkeep');
    my $run = $self->ask('stream', $name, n => 22, pause => 0.1);
    $run = { %$run, %{ $self->disarm } };
    my $died = $self->worker_died;
    push @{ $run->{wrong} }, "it is $run->{said}, though the worker lives" if !$died && $run->{said} ne 'complete';
    my $next = $self->ask('stream', "$name-next");
    push @{ $run->{wrong} }, "the next one: $next->{said}" if $next->{said} ne 'complete';
    return { %$run, died => $died };
}

# A worker begins: it, or another one, must serve.
sub one_start {
    my ($self, $fault, $n) = @_;
    my $name = 'r' . ++$self->{run};
    my $before = $self->{worker};
    $self->arm($fault, $n, anybody => 1, threads => 'all');
    kill KILL => $before;
    my @wrong;
    eval { wait_for { grep { $_ != $before } $self->{exedra}->worker_pids } 10, 'another worker'; $self->find_worker } or push @wrong, $@;
    my $run = { name => $name, said => 'started', wrong => \@wrong, %{ $self->disarm } };
    push @wrong, 'the worker died afterwards' if $self->worker_died;
    my $next = $self->ask('stream', "$name-next");
    push @wrong, "the next one: $next->{said}" if $next->{said} ne 'complete';
    return $run;
}

# Asks once with the n-th call failing, and once without; what came of the first.
sub one {
    my ($self, $request, $fault, $n, %with) = @_;
    my $name = 'r' . ++$self->{run};
    $self->chill($request) if $with{cold};
    $self->arm($fault, $n);
    my $run = $self->ask($request, $name);
    $run = { %$run, %{ $self->disarm } };
    push @{ $run->{wrong} }, 'the worker died' if $self->worker_died;
    my $next = $self->ask($request, "$name-next");
    push @{ $run->{wrong} }, 'the worker died afterwards' if $self->worker_died;
    push @{ $run->{wrong} }, map { "the next one: $_" } $next->{said} eq 'complete' ? () : "$next->{said} " . ($next->{got}{status} // $next->{answer}{status} // ''), @{ $next->{wrong} };
    $run->{fds} = fds($self->{worker});
    return $run;
}

# Asks once, or has something else done, with the n-th call failing.
sub attempt {
    my ($self, $request, $fault, $n, %with) = @_;
    my $one = $REQUESTS{$request}{one} // sub { my ($me, @rest) = @_; $me->one($request, @rest) };
    return { %{ $one->($self, $fault, $n, %with) }, n => $n };
}

# Lets the n-th call fail for n = 1, 2 ... up to the most calls of a run in which nothing failed (a thread of the worker's own may
# have connected to PostgreSQL first: then there are few), and until such a run; with `samples`, about so many of them only.
# `cold`: the worker has to connect to PostgreSQL anew each time.  Notes what is wrong and returns the runs.
sub series {
    my ($self, $request, $fault, %with) = @_;
    $self->ask($request, 'r' . ++$self->{run}) for 1, 2;
    my ($fds, @runs) = ($self->descriptors);
    push @runs, map { $self->attempt($request, $fault, $NEVER, %with) } 0 .. ($with{cold} ? 1 : 0);
    @runs = sort { $b->{seen} <=> $a->{seen} } @runs;
    my $every = $with{samples} && $runs[0]{seen} > $with{samples} ? $runs[0]{seen} / $with{samples} : 1;
    my $most = $runs[0]{seen};
    for (my $n = rand $every; $n < 100_000; $n += $every) {
        push @runs, $self->attempt($request, $fault, 1 + int $n, %with);
        next if $runs[-1]{failed};
        last if $n >= $most;
        $most = $runs[-1]{seen} if $runs[-1]{seen} > $most;
    }
    my $check = $REQUESTS{$request}{check};
    $check->($self, @runs) if $check;
    my $what = "$request, $fault" . ($with{cold} ? ', cold' : '');
    my $now;
    eval { wait_for { ($now = $self->descriptors) <= $fds } 5, 'x' };
    push @{ $self->{wrong} }, "$what: $now descriptors, were $fds (" . join(' ', map { "$_->{n}:$_->{fds}" } @runs) . ')' if $now > $fds;
    for my $run (grep { @{ $_->{wrong} } } @runs) {
        my $said = join '; ', map { s/[^\x20-\x7e]+/ /gr } @{ $run->{wrong} };
        push @{ $self->{wrong} }, "$what, n=$run->{n}: $said [" . symbols($run->{where}) . ']';
    }
    return @runs;
}

1;
