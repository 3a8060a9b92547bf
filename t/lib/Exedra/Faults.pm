# SPDX-License-Identifier: ISC
#
# What the tests of a provider's faults share: every fault is asked for in all four ways, and what the client got, what is
# on record, and how the next request fares are held against one expectation.
package Exedra::Faults;
use strict;
use warnings;

use Exporter qw(import);
use Test::More ();
use Time::HiRes qw(time);
use Exedra::Answer;
use Exedra::Hostile ();
use Exedra::Http ();
use Exedra::Provider;

my $CLIENTS = 32;               # at a time

our @EXPORT = qw(fault_house good refused broken either empty check_faults leaks);

# ---- expectations ----

# The answer comes, whole.
sub good { my ($text, %with) = @_; return { kind => 'good', text => $text // $TEXT, %with } }

# An error before the first byte: what OpenAI's dialect is told.
sub refused { my ($status, $code, %with) = @_; return { kind => 'refused', status => $status, code => $code, %with } }

# Some text, then an error.
sub broken { my ($text, $status, $code, %with) = @_; return { kind => 'broken', text => $text, status => $status, code => $code, %with } }

# Any of these, as long as it is clear to the client and on record.
sub either { return { kind => 'either' } }

# An answer without a word.
sub empty { return { kind => 'empty' } }

# ---- the house ----

# A house whose provider is all the faulty models; time-outs are short.  Takes what house() takes.
sub fault_house {
    my (%with) = @_;
    my $provider = $with{provider} // start_provider();
    my $seconds = $ENV{EXEDRA_TSAN} ? 14 : Exedra::Hostile::asan() ? 8 : 4;
    my $house = Exedra::Hostile::house(nginx => 0, %with, settings => {
        'llm.url' => $provider->{url}, 'llm.key' => $KEY, 'llm.model' => 'good', 'llm.timeout.connect' => $seconds,
        'llm.timeout.first' => $seconds, 'llm.timeout.idle' => $seconds, drain => 10, 'outbound.allow' => '127.0.0.0/8', %{ $with{settings} // {} },
    });
    $house->{provider} = $provider;
    # Handles for calls are kept, with their connection and what libcurl wakes itself by: three descriptors each, as many as
    # there were calls at a time.  More is a leak.
    $house->{fds} += 3 * $CLIENTS * (my @workers = $house->{exedra}->worker_pids);
    return $house;
}

# What a reply, or the log, must not hold of the inside.
sub leaks {
    my ($house, $text) = @_;
    return grep { index($text, $_) >= 0 } $KEY, $WORDS, $house->{provider}{address}, '127.0.0.1';
}

# ---- the check ----

# Takes tables, [topic => [name => expectation, ...], ...], with names of models.  Every fault is asked for four times, and a good
# question behind each; then all of it is held against the rows, a subtest a topic.  An expectation may have besides:
#   asked     how often the provider must have been asked: a number, or [least, most]
#   fields    of the workspace, such as chatProvider
#   body      a sub that makes more members of the request of the question
#   retry     a range for Retry-After
#   within    seconds that an answer may take
#   name      what the test is called
# Returns the answers: { 'fault, way' => answer }.
sub check_faults {
    my ($house, @topics) = @_;
    my (%expect, @jobs);
    for my $table (grep { ref } @topics) {
        my %table = @$table;
        for my $fault (grep { $table{$_} } @$table) {
            my $slug = Exedra::Test::workspace($house->{exedra}, $house->{key}, $fault, chatModel => $fault, openAiPrompt => 'Be brief.', chatMode => 'chat',
                %{ $table{$fault}{fields} // {} })->{slug};
            $expect{$fault} = $table{$fault};
            push @jobs, map { [$fault, $_, $slug] } @WAYS;
        }
    }
    my $well = Exedra::Test::workspace($house->{exedra}, $house->{key}, 'well')->{slug};
    my @answers = in_parallel($CLIENTS, sub { ask_twice($house, \%expect, $well, @{ $_[0] }) }, @jobs);
    my ($rows, %asked, %wrong) = (rows_of($house->{db}));
    $asked{$_->{question}}++ for $house->{provider}->requests;
    for my $i (0 .. $#jobs) {
        my ($fault, $way) = @{ $jobs[$i] };
        my $question = "$fault, $way";
        push @{ $wrong{$fault}{$_} }, $way for wrong_with($house, $expect{$fault}, $way, $answers[$i], $rows->{$question}, $asked{$question} // 0);
    }
    while (my ($topic, $table) = splice @topics, 0, 2) {
        my %table = @$table;
        Test::More::subtest($topic, sub { say_so($table{$_}{name} // $_, %{ $wrong{$_} // {} }) for grep { $table{$_} } @$table });
    }
    return { map { ("$jobs[$_][0], $jobs[$_][1]" => $answers[$_]) } 0 .. $#jobs };
}

sub say_so {
    my ($name, %wrong) = @_;
    my @wrong = map { "@{ $wrong{$_} }: $_" } sort keys %wrong;
    splice @wrong, 6, @wrong - 6, '... and ' . (@wrong - 6) . ' more' if @wrong > 6;
    Test::More::ok(!@wrong, $name) or Test::More::diag(map { "    $_\n" } @wrong);
}

sub ask_twice {
    my ($house, $expect, $well, $fault, $way, $slug) = @_;
    my $question = "$fault, $way";
    my $more = $expect->{$fault}{body};
    my $began = time;
    my $answer = ask($house->{exedra}, $way, key => $house->{key}, slug => $slug, message => $question, body => $more ? $more->($question) : undef);
    $answer->{took} = time - $began;
    my $next = ask($house->{exedra}, $way, key => $house->{key}, slug => $well, message => "after $question");
    $answer->{next} = $next->{wrong} || (!$next->{complete} || $next->{text} ne $TEXT ? "status $next->{status}, text '$next->{text}'" : '');
    delete $answer->{json};
    return $answer;
}

sub wrong_with {
    my ($house, $expect, $way, $answer, $rows, $asked) = @_;
    return "it could not be asked: $answer->{wrong}" if !$answer->{status};
    my $kind = $expect->{kind};
    $kind = $answer->{complete} ? 'good' : length $answer->{text} ? 'broken' : 'refused' if $kind eq 'either';
    my $judge = { good => \&wrong_good, empty => \&wrong_empty }->{$kind} // \&wrong_error;
    my @wrong = $judge->($expect, $way, $answer, $kind);
    push @wrong, $answer->{wrong} if $answer->{wrong};
    push @wrong, 'the reply was cut' if $answer->{broken};
    push @wrong, map { "the reply tells '$_'" } leaks($house, $answer->{raw});
    push @wrong, "the next one: $answer->{next}" if $answer->{next};
    my ($least, $most) = ref $expect->{asked} ? @{ $expect->{asked} } : (($expect->{asked}) x 2);
    push @wrong, "the provider was asked $asked times, not $least" if defined $least && ($asked < $least || $asked > $most);
    push @wrong, "it took $answer->{took} s" if $answer->{took} > ($expect->{within} // 20) * (Exedra::Hostile::asan() ? 3 : 1);
    push @wrong, @{ $rows // [] } . ' rows' if @{ $rows // [] } != 1;
    return (@wrong, $rows ? wrong_row($expect, $kind, $rows->[0]) : ());
}

sub wrong_good {
    my ($expect, $way, $answer) = @_;
    return (
        $answer->{status} == 200 ? () : "status $answer->{status}: " . shown($answer->{raw}),
        $answer->{complete} ? () : 'it is not complete: ' . tail($answer),
        !defined $expect->{text} || $answer->{text} eq ($expect->{$way} // $expect->{text}) ? () : "the text is '" . shown($answer->{text}) . "'",
        $answer->{error} ? "an error: $answer->{error}{message}" : (),
        defined $expect->{finish} && defined $answer->{finish} && $answer->{finish} ne $expect->{finish} ? "it finishes with $answer->{finish}" : (),
    );
}

sub wrong_empty {
    my ($expect, $way, $answer) = @_;
    return (
        $answer->{status} == 200 ? () : "status $answer->{status}: " . shown($answer->{raw}),
        $answer->{text} eq '' ? () : "the text is '" . shown($answer->{text}) . "'",
        $way eq 'chat' ? ($answer->{error} ? () : 'no abort') : ($answer->{complete} ? () : 'it is not complete: ' . tail($answer)),
    );
}

# Before the first byte an error with its status; behind it the text, then an event that is an error, and nothing that could be
# taken for the end of an answer.
sub wrong_error {
    my ($expect, $way, $answer, $kind) = @_;
    my $streams = $way =~ /^(?:stream|chunks)$/;
    my @wrong = $answer->{complete} ? 'it looks complete: ' . tail($answer) : ();
    return (@wrong, 'no error: ' . tail($answer)) if !$answer->{error};
    if ($kind eq 'broken' && $streams) {
        push @wrong, "status $answer->{status}" if $answer->{status} != 200;
        push @wrong, "the text is '" . shown($answer->{text}) . "'" if defined $expect->{text} && $answer->{text} ne $expect->{text};
    } elsif (defined $expect->{status}) {
        my $status = $way =~ /^chat|stream$/ && $expect->{status} != 429 && ($expect->{code} // '') !~ /^context_/ ? 500 : $expect->{status};
        push @wrong, "status $answer->{status}, not $status: " . shown($answer->{raw}) if $answer->{status} != $status;
        push @wrong, "text '" . shown($answer->{text}) . "'" if $answer->{text} ne '';
    } elsif ($answer->{status} < 400) {
        push @wrong, "status $answer->{status}";
    }
    push @wrong, "code $answer->{error}{code}, not $expect->{code}" if defined $expect->{code} && exists $answer->{error}{code} && $answer->{error}{code} ne $expect->{code};
    push @wrong, 'no abort body' if $way eq 'chat' && $answer->{raw} !~ /"type":"abort".*"close":true/;
    if ($expect->{retry}) {
        my ($least, $most) = @{ $expect->{retry} };
        my $after = $answer->{headers}{'retry-after'} // '';
        push @wrong, "Retry-After is '$after'" if $after !~ /^\d+$/ || $after < $least || $after > $most;
    }
    return @wrong;
}

sub wrong_row {
    my ($expect, $kind, $row) = @_;
    my @wrong;
    my $state = { good => 'done', refused => 'failed', broken => 'stopped', empty => 'failed' }->{$kind};
    # asked for as one object, an `either` cannot tell text that came from none
    $state = $row->{state} if $expect->{kind} eq 'either' && $kind eq 'refused' && $row->{state} eq 'stopped';
    push @wrong, "the row is $row->{state}, not $state" if $row->{state} ne $state;
    my $text = $expect->{stored} // $expect->{text};
    push @wrong, "the row's answer is '" . shown($row->{answer} // 'NULL') . "'"
        if $state eq 'failed' ? defined $row->{answer} : defined $text && ($row->{answer} // '') ne $text;
    push @wrong, "the row's reason is " . ($row->{reason} // 'NULL')
        if $kind eq 'good' ? defined $row->{reason} : defined $expect->{code} ? ($row->{reason} // '') ne $expect->{code} : !defined $row->{reason};
    push @wrong, 'include is ' . ($row->{include} ? 'true' : 'false') if !$row->{include} != ($state eq 'failed');
    my $n = @{ $row->{usage} };
    push @wrong, "$n rows in the ledger" if $n != ($kind eq 'refused' && $state eq 'failed' ? 0 : 1);
    push @wrong, map { "the ledger has [@$_]" } grep { $_->[0] < 0 || $_->[1] < 0 } @{ $row->{usage} };
    return @wrong;
}

# A text for a message: short, and without what differs each time.
sub shown { my $text = $_[0]; utf8::encode($text) if utf8::is_utf8($text); $text =~ s/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/<uuid>/g; return length $text > 200 ? substr($text, 0, 100) . '...' . substr($text, -80) : $text }

sub tail { return length $_[0]{raw} > 160 ? shown(substr $_[0]{raw}, -160) : shown($_[0]{raw}) }

1;
