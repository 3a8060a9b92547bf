# The n-th allocation, call of libpq or libcurl, or write of the worker fails, in requests of every kind: each has an answer or
# a closed connection, the worker lives, the next request is fine, what is on record is whole, nothing leaks.  A sample of all
# n, as EXEDRA_SEED says; t/torture/run goes through all of them.
use lib 't/lib';
use Exedra::Test;
use Exedra::Torture;
use Time::HiRes qw(time);

my $which = $ENV{EXEDRA_TORTURE};       # all, or a pattern
my $seed = $ENV{EXEDRA_SEED} // time ^ $$;
srand $seed;
note "EXEDRA_SEED=$seed";

my @faults = sort keys %FAULTS;
my @talks = qw(chat stream completion chunks);

# Which requests meet which faults, and how often; a short want of memory takes seconds each time.
my @sample = (
    [workspaces => 'memory', 4], [workspaces => 'a call of libpq', 4], [workspaces => 'memory', 4, cold => 1],
    [chat => 'memory', 6], [chat => 'a call of libcurl', 5], [chat => 'a call of libpq', 4],
    [stream => 'memory', 6], [stream => 'memory, for a while', 1], [stream => 'the connection to PostgreSQL', 4], [stream => 'a call of libcurl', 5],
    [stream => 'a write: EPIPE', 4], [stream => 'a write: half', 4], [chunks => 'a write: ENOSPC', 2], [chunks => 'memory', 6],
    [upload => 'memory', 5], [upload => 'a call of libpq', 5], [start => 'memory', 3],
);
my @whole = (
    map({ my $fault = $_; my @few = $fault =~ /while/ ? 20 : 0; map({ [$_ => $fault, @few], [$_ => $fault, @few, cold => 1] } 'workspaces', 'upload', @talks) } @faults),
    map({ [beside => $_, 0] } 'memory', 'a call of libpq', 'the connection to PostgreSQL'), map({ [start => $_, 0] } 'memory', 'a write: EPIPE'),
);
@whole = grep { "$_->[0]: $_->[1]" =~ /$which/ } @whole if defined $which && $which ne 'all';

my $torture = Exedra::Torture->new;
for my $case (defined $which ? @whole : @sample) {
    my ($request, $fault, $samples, %with) = @$case;
    my $began = time;
    my @runs = $torture->series($request, $fault, samples => $samples, %with);
    my @wrong = splice @{ $torture->{wrong} };
    my %said;
    $said{$_->{said}}++ for grep { $_->{failed} } @runs;
    my $what = "$request: $fault" . ($with{cold} ? ', the connection made anew' : '');
    ok !@wrong, sprintf '%s, one of %d: %s; %.1f s', $what, $runs[0]{seen}, join(', ', map { "$said{$_} $_" } sort keys %said), time - $began
        or diag join "\n", @wrong > 12 && !defined $which ? (@wrong[0 .. 11], '... and ' . (@wrong - 12) . ' more') : @wrong;
}

is $torture->connections, 1, 'one connection to the database';
ok $torture->{exedra}->stop, 'the pool ends well';
done_testing;
