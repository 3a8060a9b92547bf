# SPDX-License-Identifier: ISC
#
# The four ways to ask for an answer, with what came of it in one form, so that one expectation fits them all; what is
# on record of it; and many such questions at once.
#
#   my $answer = ask($exedra, 'stream', key => $key, slug => 'hall', message => 'why?');
#   is $answer->{error}{message}, 'The model\'s provider broke off its answer.';
package Exedra::Answer;
use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time);
use Exedra::Http qw(http_stream json_value);
use Exedra::Postgres qw(psql);

our @EXPORT = qw(ask question judge in_parallel rows_of @WAYS);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# ---- asking ----

our @WAYS = qw(chat stream completion chunks);

my %target = (
    chat => '/v1/workspace/SLUG/chat', stream => '/v1/workspace/SLUG/stream-chat', completion => '/v1/chat/completions', chunks => '/v1/chat/completions',
);

# The request of a question, in one of four ways: AnythingLLM's chat and stream, OpenAI's completion and chunks.
#   slug, message; thread (slug), messages (OpenAI's, instead), body => more members, target (instead)
# Returns target and body.
sub question {
    my ($way, %with) = @_;
    my $openai = $way eq 'completion' || $way eq 'chunks';
    my $target = $with{target} // ($with{thread} ? "/v1/workspace/$with{slug}/thread/$with{thread}/" . ($way eq 'chat' ? 'chat' : 'stream-chat')
        : $target{$way} =~ s/SLUG/$with{slug}/r);
    my %body = $openai ? (model => $with{slug}, messages => $with{messages} // [{ role => 'user', content => $with{message} }]) : (message => $with{message});
    $body{stream} = JSON::PP::true if $way eq 'chunks';
    return ($target, { %body, %{ $with{body} // {} } });
}

# Asks, and returns what comes of it; takes what question() takes, and key, timeout.
sub ask {
    my ($server, $way, %with) = @_;
    my ($target, $body) = question($way, %with);
    my $began = time;
    my $reply = eval {
        my $stream = http_stream($server, POST => $target, key => $with{key}, json => $body, timeout => $with{timeout} // 30);
        my ($status, $headers) = @$stream{qw(status headers)};
        my $bytes = $stream->rest($with{timeout} // 30);
        { status => $status, headers => $headers, body => $bytes, whole => $stream->{whole} };
    } or return { way => $way, status => 0, wrong => $@, text => '', raw => '' };
    return { %{ judge($way, $reply) }, seconds => time - $began };
}

# What a reply { status, headers, body, whole } means, in one form:
#   status, headers, raw   of the reply
#   text                   all that came of the answer
#   reasoning, tools       what came besides (OpenAI); tools as pieces or whole calls
#   complete               would a client believe that it has the whole answer?
#   error                  { message, code } of an error, as a status or as an event
#   broken                 the reply did not end as its protocol wants
#   id                     the chat's id, where the dialect tells it
#   finish, usage, sources, metrics, json
#   wrong                  what no reply may be, in words
sub judge {
    my ($way, $reply) = @_;
    my $openai = $way eq 'completion' || $way eq 'chunks';
    my $answer = { way => $way, status => $reply->{status}, headers => $reply->{headers}, raw => $reply->{body}, text => '' };
    $answer->{broken} = 1 if !$reply->{whole};
    if (($reply->{headers}{'content-type'} // '') !~ m{^text/event-stream}) {
        $answer->{json} = length $reply->{body} < 1 << 20 ? eval { json_value($reply->{body}) } : undef;
        $answer->{wrong} = 'a 200 that is no stream' if $reply->{status} == 200 && $way =~ /^(?:stream|chunks)$/;
        return read_whole($answer, $answer->{json}, $openai);
    }
    my $end = rindex $reply->{body}, "\n\n";
    my @data = map { s/^data: //r } grep { /^data: / } split /\n\n/, substr $reply->{body}, 0, $end < 0 ? 0 : $end;
    my @events = map { { data => $_, json => scalar(eval { json_value($_) }) } } @data;
    $openai ? read_chunks($answer, @events) : read_events($answer, map { $_->{json} } @events);
    return $answer;
}

# An answer, or an error with its status.
sub read_whole {
    my ($answer, $got, $openai) = @_;
    my $status = $answer->{status};
    if ($status != 200) {
        my $error = ref $got eq 'HASH' ? $got->{error} : undef;
        $answer->{error} = ref $error ? $error : { message => $error };
        $answer->{wrong} = "an error without words: $status" if !length($answer->{error}{message} // '');
        $answer->{wrong} = 'an error that is no JSON' if ref $got ne 'HASH';
        return $answer;
    }
    return { %$answer, wrong => 'a 200 that is no JSON' } if ref $got ne 'HASH';
    if ($openai) {
        my $choice = $got->{choices}[0];
        @$answer{qw(text reasoning tools finish usage sources)} = ($choice->{message}{content} // '', @{ $choice->{message} }{qw(reasoning_content tool_calls)},
            $choice->{finish_reason}, @$got{qw(usage sources)});
        $answer->{complete} = defined $choice->{finish_reason} ? 1 : 0;
    } elsif ($got->{type} eq 'abort') {
        $answer->{error} = { message => $got->{error} };
    } else {
        @$answer{qw(text id metrics sources)} = ($got->{textResponse}, @$got{qw(chatId metrics sources)});
        $answer->{complete} = 1;
    }
    return $answer;
}

# AnythingLLM's events.
sub read_events {
    my ($answer, @events) = @_;
    my @wrong;
    for my $event (@events) {
        ref $event eq 'HASH' or push(@wrong, 'an event that is no object'), next;
        my $type = $event->{type} // '';
        push @wrong, "an event behind the last: $type" if $answer->{final};
        if ($type eq 'abort') {
            push @wrong, 'an abort behind a close' if $answer->{closed};
            $answer->{error} = { message => $event->{error} };
            push @wrong, 'an abort without words' if !length($event->{error} // '');
        } elsif ($type eq 'textResponseChunk') {
            push @wrong, 'text behind a close' if $answer->{closed} || $answer->{error};
            $answer->{text} .= $event->{textResponse};
            $answer->{closed} = 1 if $event->{close};
        } elsif ($type eq 'finalizeResponseStream') {
            $answer->{final} = 1;
            @$answer{qw(id metrics sources)} = @$event{qw(chatId metrics sources)};
        } elsif ($type eq 'textResponse') {
            @$answer{qw(text closed final)} = ($event->{textResponse}, 1, 1);
        } else {
            push @wrong, "an unknown event: $type";
        }
    }
    $answer->{complete} = $answer->{closed} && $answer->{final} && !$answer->{error} ? 1 : 0;
    push @wrong, 'a close, but no end' if $answer->{closed} && !$answer->{final} && !$answer->{broken};
    push @wrong, 'an end without a close' if $answer->{final} && !$answer->{closed} && !$answer->{error};
    $answer->{wrong} = join '; ', @wrong if @wrong;
}

# OpenAI's chunks.
sub read_chunks {
    my ($answer, @events) = @_;
    my (@wrong, $roles, $done, %head);
    for my $event (@events) {
        my $chunk = $event->{json};
        push @wrong, 'a frame behind [DONE]' if $done;
        if ($event->{data} eq '[DONE]') { $done = 1; next }
        ref $chunk eq 'HASH' or push(@wrong, 'a frame that is no object'), next;
        push @wrong, 'a frame behind the error' if $answer->{error};
        if ($chunk->{error}) { $answer->{error} = $chunk->{error}; next }
        ref $chunk->{choices} eq 'ARRAY' or push @wrong, 'a chunk without choices';
        push @{ $head{$_} }, $chunk->{$_} for qw(id object created model);
        $answer->{usage} = $chunk->{usage} if $chunk->{usage};
        $answer->{sources} = $chunk->{sources} if $chunk->{sources};
        my $choice = $chunk->{choices}[0] or next;
        push @wrong, 'a choice behind the finish' if $answer->{finish};
        $roles++ if $choice->{delta}{role};
        push @wrong, 'text before the role' if !$roles;
        $answer->{text} .= $choice->{delta}{content} // '';
        $answer->{reasoning} .= $choice->{delta}{reasoning_content} if defined $choice->{delta}{reasoning_content};
        push @{ $answer->{tools} }, @{ $choice->{delta}{tool_calls} } if $choice->{delta}{tool_calls};
        $answer->{finish} = $choice->{finish_reason} if defined $choice->{finish_reason};
    }
    for my $name (sort keys %head) {
        my %seen = map { $_ => 1 } @{ $head{$name} };
        push @wrong, "$name differs between chunks" if keys %seen > 1;
    }
    push @wrong, "$roles roles" if ($roles // 1) > 1;
    push @wrong, 'a finish behind an error' if $answer->{error} && ($answer->{finish} || $done);
    push @wrong, '[DONE] without a finish' if $done && !$answer->{finish};
    push @wrong, 'a finish without [DONE]' if $answer->{finish} && !$done && !$answer->{broken};
    $answer->{complete} = $done && $answer->{finish} ? 1 : 0;
    $answer->{wrong} = join '; ', @wrong if @wrong;
}

# ---- what is on record ----

# All chats: { question => [{ id, state, answer, reason, include, mode, origin, usage => [[prompt, completion,
# estimated]] }] }, the oldest first.
sub rows_of {
    my ($db, $where) = @_;
    my %rows;
    my $got = psql($db, q{SELECT json_build_object('prompt', c.prompt, 'id', c.id, 'state', c.state, 'answer', c.answer, 'reason', c.reason,
            'include', c.include, 'mode', c.mode, 'origin', c.origin, 'usage', (
                SELECT coalesce(json_agg(json_build_array(u.prompt_tokens, u.completion_tokens, u.estimated) ORDER BY u.id), '[]')
                  FROM exedra.usage u WHERE u.tenant_id = c.tenant_id AND u.chat_id = c.id))
        FROM exedra.chat c WHERE } . ($where // 'true') . ' ORDER BY c.id');
    for my $line (split /\n/, $got) {
        utf8::encode($line);
        my $row = $json->decode($line);
        push @{ $rows{$row->{prompt}} }, $row;
    }
    return \%rows;
}

# ---- many at once ----

# Calls the sub for each item, in `n` processes at a time; returns what the calls returned, in the items' order.
sub in_parallel {
    my ($n, $do, @items) = @_;
    my (@results, @readers);
    for my $part (0 .. $n - 1) {
        last if $part > $#items;
        pipe my $reader, my $writer or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
            close $reader;
            for (my $i = $part; $i < @items; $i += $n) {
                my $result = eval { $do->($items[$i]) } // { wrong => $@ || 'nothing came of it' };
                print $writer $json->encode([$i, $result]), "\n";
            }
            close $writer;
            POSIX::_exit(0);
        }
        close $writer;
        push @readers, [$pid, $reader];
    }
    for (@readers) {
        my ($pid, $reader) = @$_;
        while (my $line = <$reader>) {
            my ($i, $result) = @{ $json->decode($line) };
            $results[$i] = $result;
        }
        waitpid $pid, 0;
    }
    return @results;
}

1;
