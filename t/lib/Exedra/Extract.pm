# SPDX-License-Identifier: ISC
#
# Runs exedra-extract on a file and takes its output apart.  What the program promises of every output, each run checks.
package Exedra::Extract;
use strict;
use warnings;
use utf8 ();

use Exporter qw(import);
use JSON::PP ();
use Test::More ();
use Exedra::Process qw(run program build_dir sanitizer_report);

our @EXPORT_OK = qw(extract refused is_text is_refused);

my $json = JSON::PP->new->utf8;

sub object {
    my ($line) = @_;
    my $object = eval { $json->decode($line) };
    return ref $object eq 'HASH' ? $object : undef;
}

sub what_is_wrong {
    my ($ran) = @_;
    return "signal $ran->{signal}" if $ran->{signal};
    return "status $ran->{status}" if $ran->{status} > 1;
    return sanitizer_report($ran->{err}) if sanitizer_report($ran->{err});
    if ($ran->{status}) {
        return "on stderr: $ran->{err}" if $ran->{err} !~ /\A[^\n]+\n\z/;
        my $refusal = object($ran->{err}) // return "no JSON: $ran->{err}";
        return "no code: $ran->{err}" if ($refusal->{code} // '') !~ /^[a-z]+(_[a-z]+)+$/ || ($refusal->{message} // '') !~ /\w.*\.$/;
        return undef;
    }
    return "on stderr: $ran->{err}" if $ran->{err} ne '';
    my $text = $ran->{out};
    return 'not UTF-8' if !utf8::decode($text);
    return 'control characters' if $text =~ /[\x00-\x08\x0B\x0D-\x1F]/ || ($text =~ tr/\f// && !$ran->{parts});
    return 'no line of JSON with a kind' if $ran->{out} !~ /\A(\{.*\})\n/ || !(object($1) // {})->{kind};
    return undef;
}

# Of the bytes of a file, or of the file itself when there is a `file` among the options (a hash, which goes first); the rest
# are options of the program.  { status, seconds, head, text, refusal, parts => [{ title, ..., text }] }.
sub extract {
    my ($bytes, @options) = @_;
    my %with = ref $options[0] ? %{ shift @options } : ();
    utf8::encode($bytes) if defined $bytes && utf8::is_utf8($bytes);
    my $program = program('exedra-extract') // die 'no exedra-extract in ' . build_dir() . "\n";
    my @command = ($program, @options);
    @command = ('sh', '-c', 'file=$1; shift; exec "$@" <"$file"', 'sh', $with{file}, @command) if defined $with{file};
    my $ran = run(\@command, stdin => $bytes // '', env => $with{env});
    $ran->{parts} = grep { $_ eq '--parts' } @options;
    my $wrong = what_is_wrong($ran);
    Test::More::fail("a promise of every output: $wrong") if defined $wrong;
    my $got = { status => $ran->{status}, seconds => $ran->{seconds}, text => '', head => {}, refusal => {} };
    $got->{refusal} = object($ran->{err}) // {} if $ran->{status};
    if ($ran->{out} =~ s/\A(\{.*\})\n//) {
        $got->{head} = object($1) // {};
        utf8::decode($got->{text} = $ran->{out});
    }
    if ($ran->{parts}) {
        for my $part (split /\f/, $got->{text}) {
            my ($line, $text) = split /\n/, $part, 2;
            next if !defined $text;
            utf8::encode($line);
            push @{ $got->{parts} }, { %{ object($line) // {} }, text => $text };
        }
    }
    return $got;
}

# The code it is refused with, or '' when it is not.
sub refused {
    my $got = extract(@_);
    return $got->{refusal}{code} // '';
}

# The text, whole, and what the first line says; members of it that are not named do not matter.
sub is_text {
    my ($got, $text, $head, $name) = @_;
    Test::More::subtest($name => sub {
        Test::More::is($got->{refusal}{message}, undef, 'is read');
        Test::More::is($got->{text}, $text, 'the text');
        Test::More::is($got->{head}{$_}, $head->{$_}, $_) for sort keys %$head;
    });
}

sub is_refused {
    my ($got, $code, $name) = @_;
    Test::More::is($got->{refusal}{code} // 'read', $code, $name) or Test::More::diag($got->{refusal}{message} // substr $got->{text}, 0, 200);
}

1;
