# Every row of the route table by FastCGI: what t/lib/Exedra/RouteSuite.pm expects of it.
use lib 't/lib';
use Exedra::Test;
use Exedra::RouteSuite;

my $db = database();
my $exedra = start_exedra(db => $db);

# Sends the head of a request and nothing of its body.
sub unread {
    my $connection = fcgi_open($exedra->{socket});
    $connection->send(begin_record(1), record(FCGI_PARAMS, 1, pairs(cgi_variables(@_))), record(FCGI_PARAMS, 1, ''));
    my $status = eval { $connection->reply(2)->{status} } // 'waits';
    $connection->close;
    return $status;
}

route_suite(db => $db, server => $exedra, unread => \&unread);
ok $exedra->stop, 'exedra ends well';
done_testing;
