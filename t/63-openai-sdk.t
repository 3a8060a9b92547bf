# The official `openai` package, two majors of it, against the server behind nginx: what a program gets that was written for
# OpenAI's own service.  Errors have their classes, helpers work, and a program that leaves ends the call to the model.
use lib 't/lib';
# What package-lock.json names lies in the build directory; ./runtests puts it there.  Who runs this test alone may be somebody who
# can.
my $modules;
BEGIN {
    for my $name (qw(node npm)) {
        print "1..0 # SKIP $name is missing\n" and exit 0 if !grep { -x "$_/$name" } split /:/, $ENV{PATH};
    }
    my @dirs = map { "$_/node" } $ENV{EXEDRA_BUILD} // 'build', 'build';
    my $there = sub { (grep { system('cmp', '-s', 't/node/package-lock.json', "$_/installed") == 0 } @dirs)[0] };
    my ($writable) = grep { (my $parent = $_) =~ s{/node$}{}; -w (-e $_ ? $_ : $parent) } @dirs;
    system 'sh', 't/node/install.sh', $writable if !$there->() && $writable;
    $modules = $there->() // do { print "1..0 # SKIP the openai package is missing: sh t/node/install.sh build/node\n"; exit 0 };
}
use Exedra::Test;
use Exedra::Answer qw(rows_of);
use Exedra::Hostile qw(asan);
use Exedra::Provider;
use File::Spec ();

need(qw(node nginx));

my $provider = start_provider();
my $db = database();
my $exedra = start_exedra(db => $db, settings => { 'llm.url' => $provider->{url}, 'llm.model' => 'team/super model', 'llm.provider' => 'house', 'stream.keepalive' => 1, drain => 10 });
my $nginx = start_nginx(exedra => $exedra);
my $acme = tenant($db, 'acme');
my %room = (hall => 'good', slow => 'say', tools => 'tools', 'json-tools' => 'json-tools', busy => 'later:429 30', failing => 'status:500', away => 'later:503 30', again => 'flaky:503,3',
    broken => 'error-mid', nobody => 'x');
workspace($exedra, $acme->{key}, $_, openAiPrompt => 'Be brief.', chatMode => 'chat', chatModel => $room{$_}, $_ eq 'nobody' ? (chatProvider => 'nobody') : ()) for sort keys %room;
my $slack = asan() ? 5 : 1.3;
$modules = File::Spec->rel2abs("$modules/node_modules");

my @calls = map { { id => $_->[0], type => 'function', function => { name => $_->[1], arguments => $_->[2] } } } ['call_1', 'f', '{"a":1}'], ['call_2', 'g', '{}'];

# The second major wants a newer Node than Debian 12 has.
my @packages = ('openai');
SKIP: {
    my ($major) = run([program('node'), '--version'])->{out} =~ /^v(\d+)/;
    skip 'openai 7 wants Node 20 or newer', 1 if $major < 20;
    push @packages, 'openai-7';
    pass "Node $major runs both";
}

sub error_is {
    my ($got, $what, @expected) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $error = ref $got eq 'HASH' ? $got->{error} : undef;
    is_deeply $error && [@$error{qw(type status code)}], \@expected, "$what: $expected[0]" or diag json_text($got);
}

my @ran = Exedra::Answer::in_parallel(2, sub {
    my ($package) = @_;
    my $ran = run([program('node'), 't/node/sdk.mjs', "$modules/$package/index.mjs"], timeout => asan() ? 200 : 60,
        env => { URL => $nginx->{url}, KEY => $acme->{key}, NAME => $package, NO_PROXY => '127.0.0.1', HTTP_PROXY => undef, http_proxy => undef });
    return { %$ran, result => scalar(eval { json_value($ran->{out}) }) };
}, @packages);

eval { wait_for { psql($db, "SELECT count(*) FROM exedra.chat WHERE state = 'open'") == 0 } 3 * $slack, 'the end of all chats' };
for my $package (@packages) {
    my $ran = shift @ran;
    my $version = json_value(slurp("$modules/$package/package.json"))->{version};
    subtest "openai $version" => sub {
        my $got = $ran->{result};
        ok $got, 'it runs' or return diag $ran->{err}, $ran->{wrong} // '';
        is_deeply [sort @{ $got->{list} }], [sort keys %room, 'team/super model'], 'models.list()';
        is $got->{retrieve}, 'hall', 'models.retrieve()';
        is $got->{'retrieve, slash'}, 'team/super model', '… whatever its name holds';
        error_is $got->{'retrieve, unknown'}, '… one that is unknown', 'NotFoundError', 404, 'model_not_found';
        is $got->{chat}{text}, $TEXT, 'chat.completions.create()';
        is_deeply $got->{chat}, { text => $TEXT, finish => 'stop', usage => { prompt_tokens => 7, completion_tokens => 5, total_tokens => 12 }, id => JSON::PP::true(), sources => [] }, '… all of it';
        is $got->{'chat, server model'}, $TEXT, '… with the server\'s own model';
        is_deeply [@{ $got->{stream} }{qw(text finish usage sources error)}], [$TEXT, ['stop'], undef, [], undef], 'a stream';
        cmp_ok $got->{stream}{chunks}, '>', 10, '… in pieces';
        is $got->{'stream, usage'}{usage}{total_tokens}, 12, '… with usage';
        is $got->{'stream, slow'}{text}, join('', map { "$package-slow-$_ " } 0 .. 2), '… with comments in between';
        is_deeply $got->{helper}, { text => $TEXT, final => $TEXT, finish => 'stop', usage => 12 }, 'the stream helper';

        for my $case (['tools', @calls], ['json-tools', $calls[0]]) {
            my ($model, @expected) = @$case;
            # the role's chunk has the content '' (design, section 8), which the helper of some versions keeps
            $got->{"$model, helper"}{content} = undef if ($got->{"$model, helper"}{content} // '') eq '';
            is_deeply $got->{"$model, $_"}, { content => undef, calls => \@expected, finish => 'tool_calls' }, "$model, $_: calls of tools" or diag json_text($got->{"$model, $_"}) for qw(whole helper);
        }

        error_is $got->{'bad key'}, 'a bad key', 'AuthenticationError', 401, 'invalid_api_key';
        error_is $got->{$_}, $_, 'NotFoundError', 404, 'model_not_found' for 'unknown model', 'unknown model, stream';
        error_is $got->{'bad parameter'}, 'a bad parameter', 'BadRequestError', 400, 'field_range';
        is $got->{'bad parameter'}{error}{param}, 'temperature', '… by its name';
        error_is $got->{'too long'}, 'a question that is too long', 'BadRequestError', 400, 'context_length_exceeded';
        error_is $got->{$_}, $_, 'RateLimitError', 429, 'upstream_busy' for 'busy', 'busy, stream';
        error_is $got->{failing}, 'a provider that fails', 'InternalServerError', 502, 'upstream_error';
        error_is $got->{away}, 'one that is away', 'InternalServerError', 503, 'upstream_unavailable';
        is_deeply [grep { ref $got->{$_} eq 'HASH' && $got->{$_}{error} && defined $got->{$_}{error}{status} && !$got->{$_}{error}{id} } sort keys %$got], [], 'each with its request\'s id';

        is $got->{again}, $TEXT, 'what failed at first is asked again';
        is $got->{'again, stream'}{text}, $TEXT, '… as a stream';
        is_deeply [map { $provider->asked("$package $_") } 'again', 'again, stream'], [4, 4], '… by us three times, then by the SDK';
        my $rows = rows_of($db);
        is_deeply [map { $_->{state} } @{ $rows->{"$package again"} }], [qw(failed done)], '… and on record as what it was';
        error_is $got->{'not again'}, 'what cannot be cured', 'InternalServerError', 502, 'upstream_missing';
        is scalar @{ $rows->{"$package not again"} }, 1, '… is not asked again';

        is_deeply [@{ $got->{broken} }{qw(text finish)}], ['One two three', []], 'an answer that breaks off: what came of it';
        is_deeply [@{ $got->{broken}{error} }{qw(type code)}], [qw(APIError upstream_error)], '… and an error';
        is_deeply [$got->{'broken, helper'}{text}, @{ $got->{'broken, helper'}{error} // {} }{qw(type code)}], ['One two three', qw(APIError upstream_error)], '… by the helper';

        for my $how (qw(break signal helper whole)) {
            my $question = "say $package-$how n=400 pause=0.05";
            my $at = $got->{"leave, $how"}{at};
            ok $at, "leaving by $how";
            my ($end) = grep { $_->{end} eq 'them' } $provider->ends($question);
            ok $end && $end->{at} - $at < $slack, sprintf '… ends the call after %.2f s', $end ? $end->{at} - $at : -1;
            my $row = $rows->{$question}[0];
            is "$row->{state} $row->{reason}", 'stopped client_gone', '… the row is stopped';
            like $row->{answer}, qr/^\Q$package-$how-0\E (?:\Q$package-$how-\E\d+ )*$/, '… with what had come';
            is $got->{"leave, $how"}{error}{type}, 'APIUserAbortError', '… the program is told' if $how =~ /helper|whole/;
        }

        is_deeply [sort @{ $got->{'native, list'} }], [sort keys %room], 'under /api/v1/openai: models.list()';
        is $got->{"native, $_"}, $TEXT, "… $_" for qw(chat helper);
        error_is $got->{'native, bad key'}, '… a bad key', 'PermissionDeniedError', 403, undef;
        error_is $got->{'native, unknown model'}, '… an unknown model', 'AuthenticationError', 401, undef;
    };
}

is psql($db, "SELECT count(*) FROM exedra.chat WHERE state = 'open'"), 0, 'no chat is left open';
ok $_->stop, "$_->{name} ends well" for $nginx, $exedra;
done_testing;
