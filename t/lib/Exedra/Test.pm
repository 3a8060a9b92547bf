# SPDX-License-Identifier: ISC
#
# What a test uses: all helpers by one line, and the things that most tests begin with.
#
#   use lib 't/lib';
#   use Exedra::Test;
#
#   my $db = database();
#   my $exedra = start_exedra(db => $db);
#   my $acme = tenant($db, 'acme');
#   my $got = http($exedra, GET => '/v1/auth', key => $acme->{key});
#   is $got->{status}, 200, 'a key opens';
#   done_testing;
#
# Process: programs and /proc.  Postgres: databases and SQL.  Server: exedra, nginx, Apache, CGI.  Http and Fcgi: requests.
# Model: a provider to talk to.
# As root a test runs as the user `daemon`; it may be started by itself: perl t/30-auth.t
package Exedra::Test;
use strict;
use warnings;
use utf8 ();

use parent qw(Exporter);
use Test::More;
use Exedra::Fcgi qw(fcgi fcgi_open record begin_record pairs cgi_variables connect_to FCGI_BEGIN FCGI_ABORT FCGI_END
    FCGI_PARAMS FCGI_STDIN FCGI_STDOUT FCGI_STDERR FCGI_GET_VALUES);
use Exedra::Http qw(http http_stream raw cgi json_text json_value);
use Exedra::Postgres qw(database psql psql_error role_setup);
use Exedra::Process qw(become_user tmp_dir slurp spew program build_dir run spawn end_process wait_for child_pids pss_kb
    fds threads sanitizer_report);
use Exedra::Model qw(start_model);
use Exedra::Server qw(start_exedra start_nginx start_apache start_cgi free_port write_settings);

my @own = qw(exedractl tenant account key workspace document routes need);
our @EXPORT = (@own, @Test::More::EXPORT, @Exedra::Fcgi::EXPORT_OK, @Exedra::Http::EXPORT_OK,
    @Exedra::Postgres::EXPORT_OK, @Exedra::Server::EXPORT_OK, 'start_model', grep { $_ ne 'become_user' } @Exedra::Process::EXPORT_OK);

sub import {
    my ($class) = @_;
    strict->import;
    warnings->import;
    utf8->import;
    become_user();
    binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);
    $class->export_to_level(1, $class);
}

# Skips the whole test unless these programs are there.
sub need {
    for my $name (@_) {
        plan skip_all => "$name is missing" if !program($name);
    }
}

# ---- tenants, accounts, keys ----

# Runs exedractl as the schema's owner and returns what it prints; dies when it fails.
sub exedractl {
    my ($db, @command) = @_;
    my $ran = run([program('exedractl') // die('no exedractl in ' . build_dir() . "\n"), '-d', $db->conninfo('owner'), @command]);
    die "exedractl @command: status $ran->{status}, signal $ran->{signal}: $ran->{err}\n" if $ran->{status} || $ran->{signal};
    die "exedractl @command: $ran->{err}\n" if sanitizer_report($ran->{err});
    chomp $ran->{out};
    return $ran->{out};
}

# Makes a tenant and a key without account: { db, name, key }.
sub tenant {
    my ($db, $name) = @_;
    exedractl($db, qw(tenant create), $name);
    return { db => $db, name => $name, key => key({ db => $db, name => $name }) };
}

# One more key of a tenant.  Options go to `exedractl key create`: account, label, expires ..., those without a value as undef.
sub key {
    my ($tenant, %with) = @_;
    return exedractl($tenant->{db}, qw(key create), $tenant->{name}, map { ("--$_", $with{$_} // ()) } sort keys %with);
}

# Makes an account of a tenant and a key of it; role is default, manager or admin: { name, role, key }.
sub account {
    my ($tenant, $name, %with) = @_;
    my $role = $with{role} // 'default';
    exedractl($tenant->{db}, qw(account create), $tenant->{name}, $name, '--role', $role);
    return { name => $name, role => $role, key => key($tenant, account => $name) };
}

# ---- content ----

# Makes a workspace and returns it as the API shows it; more fields may follow the name.
sub workspace {
    my ($server, $key, $name, %fields) = @_;
    my $got = http($server, POST => '/v1/workspace/new', key => $key, json => { name => $name, %fields });
    die "workspace/new: $got->{status} $got->{body}\n" if $got->{status} != 200;
    return $got->{json}{workspace};
}

# Stores a text, puts it into a workspace if one is named by its slug, and returns the document as the API shows it.
sub document {
    my ($server, $key, $title, $text, $slug) = @_;
    my $got = http($server, POST => '/v1/document/raw-text', key => $key,
        json => { textContent => $text, metadata => { title => $title } });
    die "raw-text: $got->{status} $got->{body}\n" if $got->{status} != 200;
    my $document = $got->{json}{documents}[0];
    return $document if !defined $slug;
    $got = http($server, POST => "/v1/workspace/$slug/update-embeddings", key => $key,
        json => { adds => [$document->{location}] });
    die "update-embeddings: $got->{status} $got->{body}\n" if $got->{status} != 200;
    return $document;
}

# The route table as the program prints it: [{ method, pattern, role, needs, form, text, group }].
sub routes {
    my $ran = run([program('exedra'), '--routes']);
    die "exedra --routes: $ran->{err}\n" if $ran->{status};
    my @routes;
    for my $line (split /\n/, $ran->{out}) {
        my %route;
        @route{qw(method pattern role needs form text group)} = split /\t/, $line, -1;
        push @routes, \%route;
    }
    return @routes;
}

1;
