# Every row of the route table by CGI, a process a request, with the variables of Apache's mod_cgi under a ScriptAlias: what
# t/lib/Exedra/RouteSuite.pm expects.
use lib 't/lib';
use Exedra::Test;
use Exedra::RouteSuite;

my $PREFIX = '/cgi-bin/exedra';

my $db = database();
# Next to nothing of the server's own environment reaches a CGI program.
my $cgi = start_cgi(db => $db, env => { map { $_ => undef } grep { !/^(?:PATH|TZ|[A-Z]*SAN_OPTIONS)$/ } keys %ENV });

# What Apache adds for a target below the script.
sub apache {
    my ($target) = @_;
    my ($path, $query) = split /\?/, $target, 2;
    my $decoded = $path =~ s/%([0-9a-fA-F]{2})/chr hex $1/ger;
    return (SCRIPT_NAME => $PREFIX, PATH_INFO => $decoded, PATH_TRANSLATED => "/var/www/html$decoded", SCRIPT_FILENAME => '/usr/lib/cgi-bin/exedra',
        DOCUMENT_ROOT => '/var/www/html', SERVER_ADMIN => 'webmaster@localhost', SERVER_SIGNATURE => '', SERVER_ADDR => '127.0.0.1',
        SERVER_SOFTWARE => 'Apache/2.4', CONTEXT_PREFIX => '/cgi-bin/', CONTEXT_DOCUMENT_ROOT => '/usr/lib/cgi-bin/', REQUEST_SCHEME => 'http');
}

# Runs the program with a stdin on which nothing comes.
sub unread {
    pipe(my $read, my $write) or die "pipe: $!";
    my $stream = eval { Exedra::Stream->open_cgi($cgi->{program}, cgi_variables(@_), $read, 2) } or return 'waits';
    $stream->rest(2);
    return $stream->{whole} ? $stream->{status} : "exit $stream->{exit}";
}

route_suite(db => $db, server => $cgi, prefix => $PREFIX, variables => \&apache, unread => \&unread, good => { 'GET /metrics' => 501 }, at_once => 3, thin => 1);
done_testing;
