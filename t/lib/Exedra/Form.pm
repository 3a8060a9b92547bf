# SPDX-License-Identifier: ISC
#
# Forms with files (multipart/form-data), good ones and others, and uploads of them.
package Exedra::Form;
use strict;
use warnings;

use Exporter qw(import);
use Exedra::Http qw(http);

our @EXPORT = qw(form part upload upload_form document_of $BOUNDARY);

our $BOUNDARY = 'a-line-between-parts';

# One part: a field, or a file where there is a file name.  `headers` are more lines; `disposition` stands for the whole.
sub part {
    my ($name, $content, %with) = @_;
    my $disposition = $with{disposition} // qq(form-data; name="$name") . (defined $with{filename} ? qq(; filename="$with{filename}") : '');
    my @headers = ("Content-Disposition: $disposition", defined $with{type} ? "Content-Type: $with{type}" : (), @{ $with{headers} // [] });
    my $part = join('', map { "$_\r\n" } @headers) . "\r\n" . $content;
    utf8::encode($part) if utf8::is_utf8($part);
    return $part;
}

# The bytes of a form of these parts.
sub form {
    return join('', map { "--$BOUNDARY\r\n$_\r\n" } @_) . "--$BOUNDARY--\r\n";
}

# Sends bytes as a form; more goes to http().
sub upload_form {
    my ($server, $body, %with) = @_;
    my $target = delete $with{target} // '/v1/document/upload';
    my %headers = ('Content-Type' => "multipart/form-data; boundary=$BOUNDARY", %{ delete $with{headers} // {} });
    return http($server, POST => $target, %with, body => $body, headers => \%headers);
}

# Uploads a file: its name, its bytes; `type` is the part's, `fields` are the form's other fields.
sub upload {
    my ($server, $key, $name, $bytes, %with) = @_;
    my $fields = delete $with{fields} // {};
    my $file = part(file => $bytes, filename => $name, type => delete $with{type} // 'application/octet-stream');
    return upload_form($server, form((map { part($_ => $fields->{$_}) } sort keys %$fields), $file), key => $key, %with);
}

# The first document of an answer.
sub document_of { return $_[0]{json}{documents}[0] }

1;
