# OPTIONS on every path of the route table, and methods that a path does not take: made from `exedra --routes`.  Both are
# answered before anybody's key or the database is asked, so that there is nothing they could tell: here there is none.
use lib 't/lib';
use Exedra::Test;

my $exedra = start_exedra();
my @routes = routes();

# A path that each row stands for, with the methods of all rows that fit it.
my %methods;
for my $row (@routes) {
    my $target = $row->{pattern} =~ s/\{[^}]*\}/secret-room/gr;
    for my $other (@routes) {
        my $pattern = join '/', map { /^\{.*\.\.\.\}$/ ? '.+' : /^\{/ ? '[^/]+' : quotemeta } split m{/}, $other->{pattern};
        $methods{$target}{$other->{method}} = 1 if $target =~ /^$pattern$/;
    }
}

my %cors = (Origin => 'https://a.example', 'Access-Control-Request-Method' => 'POST',
    'Access-Control-Request-Headers' => 'authorization, content-type');

for my $target (sort keys %methods) {
    subtest $target => sub {
        my @allowed = sort keys %{ $methods{$target} };
        for my $path ($target, "/api$target") {
            my $got = http($exedra, OPTIONS => $path, headers => \%cors);
            is "$got->{status} '$got->{body}'", "204 ''", "OPTIONS $path";
            if ($target =~ m{^/embed/}) {       # for the pages of the embed only; t/56-embed.t
                is_deeply [grep { /^access-control/ } keys %{ $got->{headers} }], [], 'nothing for a page that no embed names';
                next;
            }
            is $got->{headers}{'access-control-allow-origin'}, '*', 'every origin';
            ok !exists $got->{headers}{'access-control-allow-credentials'}, 'without credentials';
            is $got->{headers}{'access-control-allow-headers'}, $cors{'Access-Control-Request-Headers'}, 'with the headers asked for';
            my %told = map { $_ => 1 } split /, /, $got->{headers}{'access-control-allow-methods'};
            is_deeply [grep { !$told{$_} } @allowed], [], 'and the methods there are';
        }
        for my $method (grep { !$methods{$target}{$_} } qw(GET POST PUT PATCH DELETE)) {
            my $got = http($exedra, $method => $target, key => 'sk-exd-any', body => '');
            is $got->{status}, 405, $method;
            is ref $got->{json}, 'HASH', 'in JSON';
        }
    };
}
is http($exedra, OPTIONS => '/v1/none', headers => \%cors)->{status}, 204, 'OPTIONS on no path of ours';

ok $exedra->stop, 'exedra ends well';
done_testing;
