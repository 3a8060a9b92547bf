# SPDX-License-Identifier: ISC
#
# What a script for Open WebUI's API does, and the shapes that it reads (contract, sections 6 to 8).
#
#   my $file = upload($exedra, $key, 'notes.txt', 'Whales sing.');
#   read_at_last($exedra, $key, $file->{id});
#   my $room = collection($exedra, $key, 'Docs');
package Exedra::OpenWebUI;
use strict;
use warnings;

use Exporter qw(import);
use Exedra::Form qw(part form upload_form);
use Exedra::Http qw(http);
use Exedra::Process qw(wait_for build_dir);

our @EXPORT = qw(send_form part send_file upload read_at_last collection reading $file_shape $knowledge_shape $NOT_FOUND $UNREAD $EMPTY
    $DUPLICATE);

our $NOT_FOUND = "We could not find what you're looking for :/";
our $UNREAD = 'Extracted content is not available for this file. Please ensure that the file is processed before proceeding.';
our $EMPTY = 'The content provided is empty. Please ensure that there is text or data present before proceeding.';
our $DUPLICATE = '400: Duplicate content detected. Please provide unique content to proceed.';

my $meta = { name => 'string', content_type => 'string?', size => 'int', data => 'object', collection_name => 'string' };
our $file_shape = { id => 'uuid', user_id => 'string', hash => 'string?', filename => 'string', path => 'string', data => 'object', meta => $meta,
    created_at => 'int', updated_at => 'int' };
our $knowledge_shape = { id => 'string', user_id => 'string', name => 'string', description => 'string', meta => 'null', access_grants => [],
    created_at => 'int', updated_at => 'int', write_access => 'bool' };

# Settings with which files can be read.
sub reading { return ('extract.program' => build_dir() . '/exedra-extract') }

# Sends a form of these parts to a path.
sub send_form {
    my ($server, $key, $target, @parts) = @_;
    return upload_form($server, form(@parts), target => $target, key => $key);
}

# Sends a file; `type` is its content type, `metadata` what is said of it, `query` stands behind the path.
sub send_file {
    my ($server, $key, $name, $bytes, %with) = @_;
    my $type = exists $with{type} ? $with{type} : 'text/plain';
    return upload_form($server, form(part(file => $bytes, filename => $name, type => $type),
        defined $with{metadata} ? part(metadata => $with{metadata}) : ()), target => '/api/v1/files/' . ($with{query} // ''), key => $key);
}

sub upload {
    my $got = send_file(@_);
    die "files: $got->{status} $got->{body}\n" if $got->{status} != 200;
    return $got->{json};
}

# Asks how far a file is, as a script does, until it is read or has failed; gives the last answer.
sub read_at_last {
    my ($server, $key, $id) = @_;
    return wait_for {
        my $status = http($server, GET => "/api/v1/files/$id/process/status", key => $key)->{json};
        ($status->{status} // '') eq 'pending' ? undef : $status;
    } 30, "file $id to be read";
}

sub collection {
    my ($server, $key, $name) = @_;
    my $got = http($server, POST => '/api/v1/knowledge/create', key => $key, json => { name => $name, description => "About $name" });
    die "knowledge/create: $got->{status} $got->{body}\n" if $got->{status} != 200;
    return $got->{json};
}

1;
