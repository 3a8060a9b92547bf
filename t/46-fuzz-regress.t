# What fuzzing has once found, and what it begins with, put to the same targets in a plain build: t/fuzz/run looks for more.
use lib 't/lib';
use Exedra::Test;

my @targets = sort grep { $_ ne 'replay' } map { m{([^/]+)\.c$} } glob 't/fuzz/*.c';
my @missing = grep { !-x build_dir() . "/t/fuzz/$_" } @targets;
plan skip_all => "t/fuzz/$missing[0] is not built: make check builds it" if @missing;

my %dirs = map { m{([^/]+)/?$} => 1 } glob 't/fuzz/seed/* t/fuzz/regress/*';
is_deeply [grep { my $dir = $_; !grep { $_ eq $dir } @targets } sort keys %dirs], [], 'each directory of inputs has its target';

for my $target (@targets) {
    my @inputs = glob "t/fuzz/seed/$target/* t/fuzz/regress/$target/*";
    cmp_ok scalar(@inputs), '>', 2, "$target: inputs";
    my $got = run([build_dir() . "/t/fuzz/$target", @inputs]);
    my @begun = split /\n/, $got->{out};
    ok !$got->{status} && !$got->{signal} && !sanitizer_report($got->{err}), '… hold its promises'
        or diag "$begun[-1]: status $got->{status}, signal $got->{signal}: $got->{err}";
    is scalar(@begun), scalar(@inputs), '… all of them';
}

done_testing;
