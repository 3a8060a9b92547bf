# Every row of the route table under a URL prefix, through nginx with the shipped include: nothing of what
# t/lib/Exedra/RouteSuite.pm expects is different there.
use lib 't/lib';
use Exedra::Test;
use Exedra::RouteSuite;

need('nginx');

my $db = database();
my $exedra = start_exedra(db => $db);
my $nginx = start_nginx(exedra => $exedra, prefix => '/ai');
my %naming;                     # nginx with a line that names the tenant

sub as_tenant {
    my ($name) = @_;
    $naming{$name} //= start_nginx(exedra => $exedra, prefix => '/ai', tenant => $name);
    return (server => $naming{$name});
}

# The include serves what begins with /v1 or /api, and the probes.
sub before { return $_[0]{pattern} =~ m{^/(?:v1/|(?:ping|livez|readyz|health(?:/db)?)$)} ? '' : '/api' }

# nginx reads the whole body before Exedra sees anything: `unread` has no meaning here.
route_suite(db => $db, server => $nginx, builder => $exedra, prefix => '/ai', before => \&before, as_tenant => \&as_tenant);

# The prefix is nginx's to match; what is not quite it never gets here.
subtest 'the prefix' => sub {
    for my $target ('/v1/auth', '/AI/v1/auth', '/ai2/v1/auth', '/ai', '/ai/', '/x/ai/v1/auth') {
        my $got = http($nginx, GET => $target);
        ok $got->{status} == 404 && !$got->{headers}{'x-request-id'}, "$target is not ours" or diag "$got->{status} $got->{body}";
    }
    for my $target ('/ai/ai/v1/auth', '/ai/v1/../ai/v1/auth', '/ai//v1/auth', '/%61i/v1/auth', '/ai%2Fv1/auth') {
        my $got = http($nginx, GET => $target);
        isnt $got->{status}, 200, "$target opens nothing";
        isnt $got->{status}, 502, '… and is answered';
    }
    is http($nginx, GET => '/ai/livez?x=/ai/v1/auth')->{status}, 200, 'in a query it means nothing';
};

ok $_->stop, "$_->{name} ends well" for values %naming, $nginx, $exedra;
done_testing;
