# SPDX-License-Identifier: ISC
#
# Whether what clients saw and what is on record fit together, whatever was done to the servers meanwhile.  The questions are
# `say NAME n=... ...` to Exedra::Provider, so that everybody knows what the whole answer would have been.
package Exedra::Ledger;
use strict;
use warnings;

use Exporter qw(import);
use Exedra::Answer;

our @EXPORT = qw(words compare tally);

# The text of `say NAME`, up to so many words.
sub words { my ($name, $n) = @_; return join '', map { "$name-$_ " } 0 .. $n - 1 }

# Holds clients of a crowd against the rows.  What must be true of each:
#   a question that the provider was asked, or of which the client saw a beginning, is on record, once
#   an answer that the client saw complete is stored as done, whole, charged once
#   one that it did not is told as an error, or its reply is cut
#   a row is closed: done with the whole text, stopped with its beginning, failed without any
#   with `seen`: all that the client saw is on record
#   with `killed`: a stream behind nginx may seem to end as HTTP wants, though without its last event: nginx 1.22 does not tell
#   its client that an unbuffered FastCGI reply was cut
# Returns what is wrong, in words, and sets { outcome } of each client: complete, told, cut, refused or left.
sub compare {
    my ($crowd, $db, $provider, $clients, %with) = @_;
    my $rows = rows_of($db);
    my %asked = map { $_->{question} => 1 } $provider->requests;
    my @wrong;
    for my $client (@$clients) {
        my $question = $client->{question};
        my ($name, $n) = $question =~ /^say (\S+) .*?n=(\d+)/;
        my $whole = words($name, $n);
        my $answer = $crowd->answer($client);
        my @mine = @{ $rows->{$question} // [] };
        my @found;
        push @found, $answer->{wrong} if $answer->{wrong} && !$client->{left_at};
        push @found, 'what came is not what was said' if substr($whole, 0, length $answer->{text}) ne $answer->{text};
        push @found, @mine . ' rows' if @mine > 1;
        push @found, 'not on record, though ' . ($asked{$question} ? 'the provider was asked' : 'the client saw some')
            if !@mine && ($asked{$question} || ($answer->{status} == 200 && $answer->{raw} ne ''));
        $client->{outcome} = $answer->{complete} ? 'complete' : $client->{left_at} ? 'left' : $answer->{status} >= 400 ? 'refused' : $answer->{error} ? 'told' : 'cut';
        push @found, 'neither complete nor an error nor cut' if $client->{outcome} eq 'cut' && !$answer->{broken} && !($with{killed} && $client->{http});
        push @found, complete_wrong($answer, $whole, $mine[0]) if $answer->{complete};
        push @found, row_wrong($mine[0], $whole, $with{seen} ? $answer->{text} : '') if @mine;
        push @wrong, map { "$client->{way} $question: $_ (" . ($mine[0] ? $mine[0]{state} . ' ' . ($mine[0]{reason} // '') : 'no row') . ", $client->{outcome}, $answer->{status})" } @found;
    }
    return @wrong;
}

sub complete_wrong {
    my ($answer, $whole, $row) = @_;
    return 'complete, but no row' if !$row;
    return ($answer->{text} eq $whole ? () : 'complete, but not whole', $row->{state} eq 'done' ? () : 'complete, but not done',
        ($row->{answer} // '') eq $answer->{text} ? () : 'complete, but the row has other text', @{ $row->{usage} } == 1 ? () : 'charged ' . @{ $row->{usage} } . ' times',
        defined $answer->{id} && $answer->{id} != $row->{id} ? 'another id' : ());
}

sub row_wrong {
    my ($row, $whole, $seen) = @_;
    my ($state, $text) = ($row->{state}, $row->{answer});
    return ($state eq 'open' ? 'the row is still open' : (), $state eq 'done' && ($text // '') ne $whole ? 'done, but not whole' : (),
        $state eq 'stopped' && substr($whole, 0, length($text // '')) ne ($text // '') ? 'stopped with other text' : (), $state eq 'failed' && defined $text ? 'failed with text' : (),
        $state =~ /^(?:failed|stopped)$/ && !defined $row->{reason} ? 'without a reason' : (),
        $state ne 'open' && substr($text // '', 0, length $seen) ne $seen ? 'the client saw more than is on record' : (), @{ $row->{usage} } > 1 ? 'charged twice' : ());
}

# How the clients fared, in words.
sub tally {
    my %n;
    $n{$_->{outcome} // '?'}++ for @_;
    return join ', ', map { "$n{$_} $_" } sort keys %n;
}

1;
