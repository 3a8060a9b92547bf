# One table, made from the route table: who calls, and what each gets of each route.  A route that this does not know fails.
# Whoever is not let in changes nothing; another tenant's administrator and an account that is let into no workspace
# are told what they would be told if nothing were there, and the first changes nothing of ours.
use lib 't/lib';
use Exedra::Test;
use Exedra::Contract qw(fingerprint);
use Exedra::Crossing qw(held_by);
use Exedra::RouteSuite qw(route_house suite call id_of nobody_of);

my $db = database();
my $exedra = start_exedra(db => $db);
route_house(db => $db, server => $exedra);
my %suite = suite();
my ($house, $expect, $rank, $real) = @suite{qw(house expect rank real)};
my @routes = @{ $suite{routes} };

# One account of each role, and who else has a key.  `role` is what they may do in their own tenant.
my %caller = ((map { $_->[0] => { key => $_->[1] } } @{ $suite{bad_keys} }), (map { $_ => { key => $suite{role_key}{$_}, role => $_ } } keys %$rank),
    'the administrator of another tenant' => { key => $house->{beta}{key}, role => 'admin', away => 1 },
    'an account of no workspace' => { key => $house->{out}{key}, role => 'default', away => 1 });
my @nobodies = map { $_->[0] } @{ $suite{bad_keys} };

# A tenant's own key, which is no account's, has no key and no password of an account.
my %otherwise = map { $_ => { 'the administrator of another tenant' => 403 } } 'POST /v1/auths/api_key', 'DELETE /v1/auths/api_key', 'POST /v1/auths/update/password';

# The status of a row for a caller.
sub expected {
    my ($row, $who) = @_;
    my ($id, $caller) = (id_of($row), $caller{$who});
    my $good = $otherwise{$id}{$who} // $expect->{$id}{status} // 200;
    return $good if $row->{role} eq 'anyone';
    return nobody_of($row)->[0] if !$caller->{role};
    return 403 if $rank->{$caller->{role}} < $rank->{$row->{role}};
    return $caller->{away} && $expect->{$id}{unknown} ? $expect->{$id}{unknown}[0] : $good;
}

sub got {
    my ($row, $who) = @_;
    return call($row, $real, key => $caller{$who}{key})->{status};
}

# ---- who is not let in ----

my @shut = grep { $_->{role} ne 'anyone' } @routes;
my $before = fingerprint($db);
for my $row (@shut) {
    my @out = (@nobodies, grep { $rank->{$_} < $rank->{$row->{role}} } sort keys %$rank);
    is_deeply { map { $_ => got($row, $_) } @out }, { map { $_ => expected($row, $_) } @out }, id_of($row) . ': who is not let in';
}
is fingerprint($db), $before, 'nothing was written';

# ---- who is let in, and has nothing there ----

my $acme = held_by($db, 'acme');
my @in_order = ((grep { $_->{method} eq 'GET' } @shut), grep { $_->{method} ne 'GET' } @shut);        # looks first: the others make things
for my $who ('the administrator of another tenant', 'an account of no workspace') {
    my @wrong = map { my ($got, $expected) = (got($_, $who), expected($_, $who)); $got eq $expected ? () : id_of($_) . ": $got, not $expected" } @in_order;
    is_deeply \@wrong, [], $who;
    is held_by($db, 'acme'), $acme, '... changes nothing of acme' if $who =~ /another tenant/;
}

# ---- who may, and everybody where everybody may ----

my @open = grep { $_->{role} eq 'anyone' } @routes;
is_deeply { map { my $row = $_; map { id_of($row) . " as $_" => got($row, $_) } sort keys %caller } @open },
    { map { my $row = $_; map { id_of($row) . " as $_" => expected($row, $_) } sort keys %caller } @open }, 'what anyone may ask, anyone is told';

ok $exedra->stop, 'exedra ends well';
done_testing;
