# Hostile paths and methods, sent raw through nginx, under a URL prefix, and past nginx where the variables
# contradict each other: a path is decoded once and matched exactly, and what decides who may is what decides which route.
use lib 't/lib';
use Exedra::Test;
use Exedra::Hostile;

need('nginx');

my $house = house();
my ($nginx, $exedra, $db, $key) = @$house{qw(nginx exedra db key)};
my $team = start_nginx(exedra => $exedra, prefix => '/team');
my $member = account($house->{acme}, 'mia')->{key};
my $document = document($exedra, $key, 'report', 'Nobody reads the report.', 'hall');
(my $file = $document->{location}) =~ s{.*/}{};
my $cafe = "caf\xc3\xa9";

# ---- targets: GET with a key, GET without one ----

my @targets = (
    # target, status with a key, without one (default: 403), pattern
    # as it should be
    ['/v1/auth',                                 200],
    ['/v1/auth/',                                200],
    ['/api/v1/auth',                             200],
    ['/api/v1/auth/?x=1',                        200],
    ['/v1/%61uth',                               200],
    ['/%76%31/auth',                             '200/404', '403/404'],
    ['/v1/auth?',                                200],
    ['/v1/auth??',                               200],
    ['/v1/auth?%',                               '200/400', '400/403'],
    ['/v1/auth?%00',                             '200/400', '400/403'],
    ['/v1/auth?%ff',                             '200/400', '400/403'],
    ['/v1/auth?' . 'a&' x 2000,                  200],
    # dots
    ['/api/v1/../v1/workspaces',                 '400/404', '400/403/404'],
    ['/v1/./auth',                               '400/404', '400/403/404'],
    ['/v1/auth/.',                               '400/404', '400/403/404'],
    ['/v1/none/../auth',                         '400/404', '400/403/404'],
    ['/v1/workspace/hall/..',                    '400/404', '400/403/404'],
    ['/v1/%2e/auth',                             400, 400],
    ['/v1/%2e%2e/v1/auth',                       400, 400],
    ['/v1/workspace/%2E%2E',                     400, 400],
    ['/v1/workspace/.%2e/workspaces',            400, 400],
    ['/v1/workspace/%2e%2e%2f%2e%2e%2fadmin',    200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/..%2fhall',                  200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/..%5chall',                  200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/..;/workspaces',             '400/404', '400/404'],
    ['/v1/workspace/...',                        200, 403, qr/"workspace":\[\]/],
    ['/v1/document/%2e',                         400, 400],
    ['/v1/document/%2e%2e',                      400, 400],
    ['/v1/document/..%2f..%2fetc%2fpasswd',      404, 403],
    ['/v1/document/..%2f..%2f..%2f..%2fetc%2fpasswd', 404, 403],
    ['/v1/document/generated-files/%2e',         400, 400],
    ['/v1/document/generated-files/%2e%2e',      400, 400],
    ['/v1/document/generated-files/..%2f..%2fx', 400, 403],
    # slashes
    ['/api//v1///workspaces',                    404, '403/404'],
    ['//v1/auth',                                404, '403/404'],
    ['/v1/auth//',                               404, '403/404'],
    ['/v1//auth',                                404, '403/404'],
    ['/v1/workspace//hall',                      404, '403/404'],
    ['/v1/workspace/',                           404, '403/404'],
    ['/v1%2fauth',                               404, 404],
    ['/v1%2Fauth/',                              404, 404],
    ['/v1/workspace/hall%2fchats',               200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/hall%2F',                    200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/%2fhall',                    200, 403, qr/"workspace":\[\]/],
    ['/v1\\auth',                                404, 404],
    ['/v1/workspace\\hall',                      404, '403/404'],
    # NUL, broken escapes, no UTF-8
    ['/v1/workspace/x%00y',                      400, 400],
    ['/v1/workspace/hall%00',                    400, 400],
    ['/v1/auth%00',                              400, 400],
    ['/v1/auth/%00',                             400, 400],
    ['/%00',                                     400, 400],
    ['/v1/workspace/%',                          400, 400],
    ['/v1/workspace/%z1',                        400, 400],
    ['/v1/workspace/%1',                         400, 400],
    ['/v1/workspace/%u002e',                     400, 400],
    ['/v1/workspace/%%34',                       400, 400],
    ['/v1/workspace/%-1',                        400, 400],
    ['/v1/workspace/%c0%ae%c0%ae',               400, 400],
    ['/v1/workspace/%c0%af',                     400, 400],
    ['/v1/workspace/%e0%80%af',                  400, 400],
    ['/v1/workspace/%ed%a0%80',                  400, 400],
    ['/v1/workspace/%f4%90%80%80',               400, 400],
    ['/v1/workspace/%ff',                        400, 400],
    ['/v1/workspace/%e9',                        400, 400],
    ["/v1/workspace/\xff",                       400, 400],
    # decoded once
    ['/v1/workspace/%2568all',                   200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/%252e%252e',                 200, 403, qr/"workspace":\[\]/],
    ['/v1/%2561uth',                             404, 404],
    ['/v1/workspace/h%61ll',                     200, 403, qr/"slug":"hall"/],
    ['/v1/workspace/hall',                       200, 403, qr/"slug":"hall"/],
    ['/v1/workspace/hall/',                      200, 403, qr/"slug":"hall"/],
    # matched exactly
    ['/v1/AUTH',                                 404, 404],
    ['/V1/auth',                                 404, 404],
    ['/v1/workspace/HALL',                       200, 403, qr/"workspace":\[\]/],
    ['/v1/auth%20',                              404, 404],
    ['/v1/auth%0a',                              404, 404],
    ['/v1/auth%3Fx',                             404, 404],
    ['/v1/auth%23x',                             404, 404],
    ['/v1/auth;x=1',                             404, 404],
    ['/v1/auth.json',                            404, 404],
    ['/v1/auth/x',                               404, 404],
    ['/v1/workspaces/hall',                      404, 404],
    ['/v1/workspace/hall/chats/x',               404, 404],
    ['/v1/workspace/hall%0d%0aX-Evil:%201',      200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/hall%09',                    200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/%20hall',                    200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/hall+',                      200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/hall%EF%BB%BF',              200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/hall%E2%80%8B',              200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/%EF%BD%88all',               200, 403, qr/"workspace":\[\]/],
    (map { ["/v1/workspace/$_",                  200, 403, qr/"workspace":\[\]/] } qw(new null undefined constructor __proto__ 0 -1 1 true * %25 ' %22 {slug} [hall])),
    ['/v1/workspace/cafe%CC%81',                 200, 403, qr/"workspace":\[\]/],
    ["/v1/document/$file",                       200, 403, qr/"name":"\Q$file\E"/],
    ["/v1/document/" . join('', map { sprintf '%%%02x', ord } split //, $file), 200, 403, qr/"name":"\Q$file\E"/],
    ["/v1/document/" . join('', map { sprintf '%%25%02x', ord } split //, $file), 404, 403],
    ["/v1/document/$file.",                      404, 403],
    ["/v1/document/$file%20",                    404, 403],
    ["/v1/document/custom-documents%2f$file",    404, 403],
    ["/v1/document/custom-documents/$file",      404, 404],
    # not ours
    ['/api/api/v1/auth',                         404, 404],
    ['/api',                                     404, 404],
    ['/api/',                                    404, 404],
    ['/v1',                                      404, 404],
    ['/v1/',                                     404, 404],
    ['/',                                        '403/404', '403/404'],
    (map { [$_,                                  404, 404] } qw(/.env /.git/config /app.fcgi /conf/app.conf /core /exedra.conf /server-status
        /v1/.env /v1/none /api/v1/none/x)),
    # long
    ['/v1/workspace/' . 'x' x 4000,              200, 403, qr/"workspace":\[\]/],
    ['/v1/workspace/' . '%78' x 2000,            200, 403, qr/"workspace":\[\]/],
    ['/v1' . '/x' x 3000,                        404, '403/404'],
    ['/v1/' . '/' x 6000,                        404, '403/404'],
    ['/v1/workspace/' . 'x' x 65536,             '400/414'],
    ['/v1/auth?' . join('&', map { "p$_=$_" } 1 .. 100_000), '400/414'],
);

# What nginx takes for no path of ours, or for none at all, it answers itself.
sub refused_by_nginx {
    my ($got) = @_;
    return $got->{body} =~ /<center>nginx/ && $got->{status} =~ /^4/;
}

subtest 'targets' => sub {
    unchanged $db, 'targets' => sub {
        for (@targets) {
            my ($target, $with, $without, $like) = @$_;
            my $name = length $target > 70 ? substr($target, 0, 60) . '... of ' . length($target) : $target;
            my $text = $target =~ m{/document/};
            $name =~ s/[^ -~]/?/g;
            my ($got, $bare) = map { http($nginx, GET => $target, key => $_) } $key, undef;
            unlike $bare->{body}, qr/authenticated|"slug"|"workspace":|localFiles/, "$name: shows nothing without a key";
            if (refused_by_nginx($got)) {
                pass '… refused by nginx';
                next if length $target > 60_000;
                ($got, $bare) = map { http($exedra, GET => $target, key => $_) } $key, undef;
            }
            check_reply($name, $got, $with, text => $text, $like ? (like => $like) : ());
            check_reply("$name, no key", $bare, $without // 403, text => $text);
            next if $target !~ m{^/(?:api|v1)} || refused_by_nginx(http($nginx, GET => $target));
            my $under = http($team, GET => "/team$target", key => $key);
            is "$under->{status} $under->{body}", "$got->{status} $got->{body}", "… the same under a prefix";
            is http($team, GET => $target, key => $key)->{status}, 404,
                '… and nothing without it' if $target !~ m{\.\.|%2e|//|%00|%$}i && length $target < 5000;
        }
    };
    $house->calm('targets');
};

subtest 'no such thing is the same for every name' => sub {
    my $plain = http($nginx, GET => '/v1/workspace/nobody-there', key => $key);
    for (qw(new constructor hall%2Fchats %20 cafe%CC%81 1)) {
        my $got = http($nginx, GET => "/v1/workspace/$_", key => $key);
        delete $_->{headers}{'x-request-id'} for $got, $plain;
        delete $_->{headers}{date} for $got, $plain;
        is_deeply [@$got{qw(status headers body)}], [@$plain{qw(status headers body)}], "/v1/workspace/$_";
    }
};

# ---- methods ----

http($exedra, POST => '/v1/workspace/hall/thread/new', key => $key, json => { name => 'Loft', slug => 'loft' });
my @routes = targets(docName => $file, folderName => 'custom-documents', id => 'hall', threadSlug => 'loft');

subtest 'methods' => sub {
    my (%takes, %seen);
    push @{ $takes{$_->{target}} }, $_->{method} for @routes;
    unchanged $db, 'methods that are not taken' => sub {
        for my $target (sort keys %takes) {
            for my $method (qw(GET POST PUT PATCH DELETE PROPFIND MKCOL PURGE get Post X), 'A' x 1000) {
                next if grep { $_ eq $method } @{ $takes{$target} };
                my $label = substr $method, 0, 20;
                my $got = http($nginx, $method => $target, key => $key, $method eq 'GET' ? ()
                    : (body => '{"name":"evil","message":"evil"}'));
                # what is literal for one method may be a name that nothing has for another
                my $named = $target =~ m{/(?:new|raw-text|upload|upload-link|create-folder|remove-folder|move-files|files/all|files/search|create|reindex|stream-chat)$}
                    && $method =~ /^(?:GET|DELETE)$/;
                check_reply("$label $target", $got, $named ? '200/400/404/405' : '400/405/front', text => $named);
                check_reply("$label $target, no key", http($nginx, $method => $target), $named ? '400/401/403/404/405/front' : '400/403/405/front', text => $named);
            }
        }
        for my $target ('/v1/chat/completions/extra', '/v1//chat/completions', '/v1/chat/completions%20', '/v1/chat/completions%2f', '/v1/chat%2fcompletions',
            '/v1/audio/transcriptions/none', '/v1/embeddings/x', '/v1/workspace/new/x') {
            check_reply("POST $target", http($nginx, POST => $target, key => $key, json => { model => 'hall', messages => [{ role => 'user', content => 'x' }] }), '404/front');
        }
        check_reply('OPTIONS *', (replies_in(raw($nginx, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")))[0], '200/204/400/front');
        check_reply('GET *', (replies_in(raw($nginx, "GET * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")))[0],
            '400/front');
    };
    $house->calm('methods');
};

subtest 'OPTIONS and HEAD' => sub {
    my $narrow = start_exedra(db => $db, settings => { 'cors.origins' => 'https://good.test' });
    for my $route (@routes) {
        my ($method, $target) = @$route{qw(method target)};
        my %cors = ('Access-Control-Request-Method' => $method, 'Access-Control-Request-Headers' => 'authorization');
        my $got = http($nginx, OPTIONS => $target, headers => { Origin => 'https://evil.test', %cors });
        is "$got->{status} $got->{body}", '204 ', "OPTIONS $target needs no key and shows nothing";
        ok !exists $got->{headers}{'access-control-allow-credentials'}, '… with no credentials';
        $got = http($narrow, OPTIONS => $target, headers => { Origin => 'https://evil.test', %cors });
        is_deeply [grep { /^access-control/ } keys %{ $got->{headers} }], [], '… and where origins are listed, none for another';
        is http($narrow, OPTIONS => $target, headers => { Origin => 'https://good.test', %cors })->{headers}{'access-control-allow-origin'},
            'https://good.test', '… but for the one that is' if $target !~ m{/embed/};       # whose own list it is
        next if $method ne 'GET' || $target eq '/metrics';     # which counts: no two answers are the same
        my ($full, $head) = map { http($nginx, $_ => $target, key => $key) } qw(GET HEAD);
        is_deeply [$head->{status}, $head->{headers}{'content-length'}, $head->{body}],
        [$full->{status}, $full->{headers}{'content-length'}, ''], "HEAD $target";
        is $full->{headers}{'content-length'} // length $full->{body}, length $full->{body}, '… which says its length, if it does';
        is http($nginx, HEAD => $target)->{status}, $route->{role} eq 'anyone' ? $full->{status} : $route->{shut}, '… and without a key';
    }
    for my $origin ('https://good.test.evil.test', 'https://good.testx', 'http://good.test', 'https://GOOD.test', 'null', '*',
        'good.test',
        'https://good.test ', 'https://good.test https://evil.test', '') {
        ok !exists http($narrow, GET => '/v1/auth', key => $key,
            headers => { Origin => $origin })->{headers}{'access-control-allow-origin'},
            "the origin '$origin' is none of the list";
    }
    ok $narrow->stop, 'ends well';
};

subtest 'bodies where none belongs' => sub {
    for my $route (grep { $_->{method} eq 'GET' } @routes) {
        my $without = http($nginx, GET => $route->{target}, key => $key)->{status};
        for (['{}', 'a body'], ['x' x 60_000, 'a long body'], ['x' x 1_000_000, 'a very long body']) {
            my ($body, $name) = @$_;
            check_reply("GET $route->{target} with $name", http($nginx, GET => $route->{target}, key => $key,
                body => $body), "$without/400/413", text => 1);
        }
    }
    workspace($exedra, $key, 'Gone');
    check_reply('DELETE with a body', http($nginx, DELETE => '/v1/workspace/gone', key => $key,
        json => { slug => 'hall' }), '200/400', text => 1);
    like http($nginx, GET => '/v1/workspace/hall', key => $key)->{body}, qr/"slug":"hall"/, 'and it names nothing';
    $house->calm('bodies');
};

# ---- variables that contradict each other ----

subtest 'which variable decides' => sub {
    for (
        # name, variables, status, pattern.  Every request has the key of a member who may not list documents.
        ['PATH_INFO empty',                         { PATH_INFO => '', REQUEST_URI => '/v1/auth' }, 200],
        ['PATH_INFO missing, REQUEST_URI too',      { PATH_INFO => undef, REQUEST_URI => undef }, '400/404'],
        ['both empty',                              { PATH_INFO => '', REQUEST_URI => '' }, '400/404'],
        ['PATH_INFO without a slash',               { PATH_INFO => 'v1/auth', REQUEST_URI => undef }, '400/404'],
        ['REQUEST_URI without a slash',             { REQUEST_URI => 'v1/auth' }, '400/404'],
        ['only PATH_INFO',                          { PATH_INFO => '/v1/auth', REQUEST_URI => undef }, 200],
        ['only PATH_INFO, below',                   { PATH_INFO => '/v1/documents', REQUEST_URI => undef }, 403],
        ['REQUEST_URI wins: may',                   { PATH_INFO => '/v1/documents', REQUEST_URI => '/v1/auth' }, 200, qr/authenticated/],
        ['REQUEST_URI wins: may not',               { PATH_INFO => '/v1/auth', REQUEST_URI => '/v1/documents' }, 403],
        ['REQUEST_URI wins: open',                  { PATH_INFO => '/v1/documents', REQUEST_URI => '/ping' }, 200, qr/online/],
        ['REQUEST_URI wins: not open',              { PATH_INFO => '/ping', REQUEST_URI => '/v1/documents' }, 403],
        ['a query in both',                         { REQUEST_URI => '/v1/auth?a=1', QUERY_STRING => 'folder=x' }, 200],
        ['an absolute URI',                         { REQUEST_URI => 'http://evil.test/v1/auth', PATH_INFO => undef }, '400/404'],
        ['an absolute URI and PATH_INFO',           { REQUEST_URI => 'http://evil.test/v1/documents', PATH_INFO => '/v1/auth' }, '200/400/404'],
        ['a fragment',                              { REQUEST_URI => '/v1/auth#/v1/documents' }, '200/400/404'],
        ['a prefix',                                { REQUEST_URI => '/team/v1/auth', SCRIPT_NAME => '/team' }, 200],
        ['a prefix with a slash',                   { REQUEST_URI => '/team/v1/auth', SCRIPT_NAME => '/team/' }, 200],
        ['a prefix that is half a word',            { REQUEST_URI => '/teamwork/v1/auth', SCRIPT_NAME => '/team' }, 404],
        ['a prefix that is half a word, PATH_INFO', { REQUEST_URI => '/teamwork/v1/auth', SCRIPT_NAME => '/team', PATH_INFO => '/v1/documents' }, '403/404'],
        ['a prefix that is all of it',              { REQUEST_URI => '/v1/auth', SCRIPT_NAME => '/v1/auth' }, 200],
        ['a prefix longer than it',                 { REQUEST_URI => '/v1/auth', SCRIPT_NAME => '/v1/auth/and/more' }, '200/404'],
        ['a prefix that is a slash',                { REQUEST_URI => '/v1/auth', SCRIPT_NAME => '/' }, 200],
        ['a prefix of slashes',                     { REQUEST_URI => '/v1/auth', SCRIPT_NAME => '////' }, 200],
        ['a prefix that eats the version',          { REQUEST_URI => '/v1/auth', SCRIPT_NAME => '/v1' }, 404],
        ['a prefix encoded',                        { REQUEST_URI => '/te%61m/v1/auth', SCRIPT_NAME => '/team' }, 404],
        ['a prefix encoded, PATH_INFO',             { REQUEST_URI => '/te%61m/v1/auth', SCRIPT_NAME => '/team', PATH_INFO => '/v1/auth' }, 200],
        ['a rewrite',                               { REQUEST_URI => '/nice/auth', SCRIPT_NAME => '/exedra.fcgi', PATH_INFO => '/v1/auth' }, 200],
        ['a rewrite, dots',                         { REQUEST_URI => '/nice/x', SCRIPT_NAME => '/exedra.fcgi', PATH_INFO => '/v1/../v1/auth' }, '400/404'],
        ['a rewrite, slashes',                      { REQUEST_URI => '/nice/x', SCRIPT_NAME => '/exedra.fcgi', PATH_INFO => '//v1/auth' }, '400/404'],
        ['a rewrite, a per cent sign',              { REQUEST_URI => '/nice/a%25b', SCRIPT_NAME => '/exedra.fcgi', PATH_INFO => '/v1/workspace/a%b' }, 200, qr/"workspace":\[\]/],
        ['a rewrite, what looks like an escape',    { REQUEST_URI => '/nice/%2561uth', SCRIPT_NAME => '/exedra.fcgi', PATH_INFO => '/v1/%61uth' }, 404],
        ['dots in front of the prefix',             { REQUEST_URI => '/x/../team/v1/auth', SCRIPT_NAME => '/team' }, '400/404'],
        ['dots behind the prefix',                  { REQUEST_URI => '/team/../v1/auth', SCRIPT_NAME => '/team' }, '400/404'],
        ['a slash encoded behind the prefix',       { REQUEST_URI => '/team%2fv1/auth', SCRIPT_NAME => '/team' }, '400/404'],
        ['no method',                               { REQUEST_METHOD => undef, REQUEST_URI => '/v1/auth' }, '400/405'],
        ['an empty method',                         { REQUEST_METHOD => '', REQUEST_URI => '/v1/auth' }, '400/405'],
        ['a method in small letters',               { REQUEST_METHOD => 'get', REQUEST_URI => '/v1/auth' }, '400/405'],
        ['DELETE where POST stands in the URI',     { REQUEST_METHOD => 'DELETE', REQUEST_URI => '/v1/workspace/hall' }, 403],
        ['64 KiB of REQUEST_URI',                   { REQUEST_URI => '/v1/workspace/' . 'x' x 65_536 }, 200, qr/\[\]/],
        ['1 MiB of REQUEST_URI',                    { REQUEST_URI => '/v1/' . 'x/' x 524_288 }, '404/414'],
        ['1 MiB of escapes',                        { REQUEST_URI => '/v1/workspace/' . '%41' x 350_000 }, '200/414'],
        ['100,000 query parameters',                { REQUEST_URI => '/v1/workspace/hall/chats?'
            . join('&', map { "p$_=$_" } 1 .. 100_000) }, '200/400/404/414'],
        ['a variable twice',                        [REQUEST_URI => '/v1/auth', REQUEST_URI => '/v1/documents'], '200/403'],
        ['no variables but the key',                [HTTP_AUTHORIZATION => "Bearer $member"], '400/404/405'],
        ['no variables',                            [], '400/404/405'],
        ['empty names',                             ['' => 'x',
            '=' => 'y', REQUEST_METHOD => 'GET', REQUEST_URI => '/v1/auth', HTTP_AUTHORIZATION => "Bearer $member"], '200/400'],
        ['10,000 variables',                        [(map { ("X$_" => 'x' x 20) } 1 .. 10_000), REQUEST_METHOD => 'GET', REQUEST_URI => '/v1/auth',
            HTTP_AUTHORIZATION => "Bearer $member"], 200],
    ) {
        my ($name, $variables, $status, $like) = @$_;
        my $params = ref $variables eq 'ARRAY' ? $variables
            : cgi_variables(GET => '/nowhere', headers => { Authorization => "Bearer $member" }, params => $variables);
        $params = [%{ cgi_variables(GET => '/nowhere', headers => { Authorization => "Bearer $member" },
            params => { REQUEST_URI => undef }) }, @$variables]
            if $name eq 'a variable twice';
        my $got = Exedra::Http::with_json(fcgi($exedra->{socket}, params => $params));
        check_reply($name, $got, $status, $like ? (like => $like) : (), text => $name eq '100,000 query parameters');
        ok $got->{ended}, '… and the record that ends it';
        unlike $got->{body}, qr/localFiles/, '… and no list of documents';
    }
    is psql($db, 'SELECT count(*) FROM exedra.workspace'), 1, 'nothing was deleted';
    $house->calm('contradictions');
};

ok $team->stop, 'nginx with a prefix ends well';
$house->close;
done_testing;
