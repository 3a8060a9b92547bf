# The walls around a document: time, memory, length, system calls; who may not be there; and how fast it is within them.
use lib 't/lib';
use Exedra::Test;
use Exedra::Extract qw(extract is_refused);
use Exedra::Hostile qw(asan);
use Exedra::Samples qw(docx docx_paragraphs pdf_pages zip_bomb);

my $program = program('exedra-extract') // BAIL_OUT('no exedra-extract in ' . build_dir());
my $dir = tmp_dir();

subtest 'options' => sub {
    like run([$program, '--version'])->{out}, qr/^exedra-extract \d/, '--version';
    like run([$program, '--help'])->{out}, qr/--max-bytes/, '--help';
    for my $wrong (['--nonsense'], ['file.pdf'], [qw(--max-seconds 0)], [qw(--max-memory 1)], [qw(--max-bytes -1)], [qw(--max-bytes 1x)], ['--ocr', '-psm'], ['--ocr', '../x']) {
        my $ran = run([$program, @$wrong], stdin => 'x');
        is $ran->{status}, 2, "@$wrong";
        is $ran->{out}, '', '… prints nothing';
    }
    my %kinds = map { split /\t/, $_, 2 } split /\n/, run([$program, '--kinds'])->{out};
    like $kinds{'application/pdf'}, qr/^\.pdf$/, '--kinds';
    is_deeply [grep { m{^(?:audio|video)/} } keys %kinds], [], '… only those it reads';
    my $poor = run([$program, '--kinds'], env => { PATH => '/nonexistent' })->{out};
    unlike $poor, qr{image/|rtf}, '… with the programs there are';
};

subtest 'input and output' => sub {
    my $text = "text\n" x 100_000;
    my $file = spew("$dir/file.txt", $text);
    my $piped = run(['sh', '-c', 'cat "$1" | "$0"', $program, $file]);
    is $piped->{out}, qq({"kind":"text/plain"}\n$text), 'from a pipe';
    is run(['sh', '-c', 'cat "$1" | "$0"', $program, $file], env => { TMPDIR => '/nonexistent' })->{out}, $piped->{out}, '… without a place for a copy';
    is run(['sh', '-c', 'read -r line; exec "$0"', $program], stdin => $text)->{out}, $piped->{out}, 'from the beginning, whoever read before';
    for my $case (['closed', '<&-'], ['a directory', '</'], ['open for writing', "0>$dir/w"]) {
        my $ran = run(['sh', '-c', "exec \"\$0\" $case->[1]", $program]);
        like $ran->{err}, qr/\A\{"code":"input_unreadable".*\}\n\z/, "standard input is $case->[0]";
        is $ran->{status}, 1, '… status 1';
    }
    my $closed = run(['sh', '-c', '{ "$0" <"$1"; echo "status $?" >&2; } | head -c 10', $program, $file]);
    like $closed->{err}, qr/\A\{"code":"output_gone".*\}\nstatus 1\n\z/, 'standard output has gone';
    my $none = run(['sh', '-c', 'exec "$0" <"$1" >&-', $program, $file]);
    like $none->{err}, qr/\A\{"code":"output_gone".*\}\n\z/, '… or was never there';
    my $full = run(['sh', '-c', 'exec "$0" <"$1" >/dev/full', $program, $file]);
    like $full->{err}, qr/\A\{"code":"output_gone".*\}\n\z/, '… or is full';
    my $ignored = run(['perl', '-e', '$SIG{CHLD} = $SIG{PIPE} = "IGNORE"; exec @ARGV', $program], stdin => 'x');
    is $ignored->{status}, 0, 'signals that were ignored' or diag $ignored->{err};
};

subtest 'the sandbox' => sub {
    my $ran = run([$program, '--check']);
    my %said = map { /^(.+): (.+)$/ ? ($1 => $2) : () } split /\n/, $ran->{out};
    my @deeds = qw(write socket unix-socket fork ptrace kill);
    # a sanitizer reads files for its reports, and a kernel may lack Landlock: the rest holds everywhere
    is_deeply [grep { ($said{"reader $_"} // '') !~ /^(?:killed|refused)$/ } @deeds, 'exec', 'code', asan() ? () : 'open'], [], 'holds a reader back';
    is_deeply [grep { ($said{"tool $_"} // '') !~ /^(?:killed|refused)$/ } @deeds], [], 'and a program of others';
    is $said{'reader socket'}, 'killed', 'who tries is killed';
    is $ran->{status}, (grep { $_ eq 'DONE' } values %said) ? 1 : 0, 'its status tells';
    ok !-e '/tmp/exedra-extract-check', 'nothing was written';

    pipe(my $read, my $write) or die $!;
    my ($pid, $out) = Exedra::Process::spawn_reading([$program], stdin => $read, log => "$dir/log", env => { EXEDRA_SET_LLM_KEY => 'canary' });
    wait_for { my $env = slurp("/proc/$pid/environ"); $env ne '' && $env !~ /canary/ && $env !~ /PERL/ } 10, 'a clean environment';
    print $write 'text';
    close $write;
    like join('', <$out>), qr/\}\ntext\z/, 'passwords in the environment are not there when the file is';
    end_process($pid, signal => 'none');
};

subtest 'text' => sub {
    is extract('abc' x 33 . "\n", qw(--max-bytes 100))->{text}, 'abc' x 33 . "\n", 'as long as it may be';
    is_refused(extract('abc' x 34, qw(--max-bytes 100)), 'file_too_large', 'longer');
    is_refused(extract(docx(docx_paragraphs('ä' x 100)), qw(--max-bytes 100)), 'file_too_large', 'longer in bytes');
};

subtest 'time' => sub {
    # each end tag is looked for among all open elements
    my $tags = '<!doctype html>' . '<div>' x 9_000 . '</i>' x 1_000_000 . 'x';
    my $got = extract($tags, qw(--max-seconds 1));
    is_refused($got, 'file_too_slow', 'CPU time');
    cmp_ok $got->{seconds}, '<', 10, 'at once';
    my $file = spew("$dir/long.txt", "text\n" x 1_000_000);
    my $slow = run(['sh', '-c', '{ "$0" --max-seconds 1 <"$1"; echo "status $?" >&2; } | { sleep 2; wc -c; }', $program, $file]);
    is $slow->{err}, "status 0\n", 'who takes the text may take longer';
    is $slow->{out} + 0, 5_000_000 + length qq({"kind":"text/plain"}\n), 'and gets it all';
    my $pid = fork // die $!;
    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        exec 'sh', '-c', 'exec "$0" --max-seconds 60 <"$1"', $program, spew("$dir/tags.html", $tags);
    }
    Exedra::Process::adopt($pid, 'exedra-extract');
    # the one that reads is busy for long, the one that finds the kind is not
    my $ticks = sub { (eval { slurp("/proc/$_[0]/stat") } // '') =~ /\) \S+(?: \S+){10} (\d+)/ ? $1 : 0 };
    my $reader = wait_for { (grep { $ticks->($_) > 10 } child_pids($pid))[0] } 30, 'a reader at work';
    end_process($pid, signal => 'KILL');
    wait_for { !Exedra::Process::is_alive($reader) } 10, 'the reader to end';
    pass 'the reader ends with the program';
};

subtest 'memory' => sub {
    plan tests => 2;
    my $attribute = '<!doctype html><p a="' . 'x' x 40_000_000 . '">x';
    if (asan()) { pass 'a sanitizer takes all there is' }
    else { is_refused(extract($attribute, qw(--max-memory 96)), 'file_too_hungry', 'a limit') }
    is extract($attribute)->{text}, "x\n", 'within the usual one';
};

# 96 MiB of address space are little more than the libraries: a text passes through, whatever its length.
subtest 'figures' => sub {
    my $mib = asan() ? 10 : 100;
    for my $case (['lines', "The quick brown fox jumps over the lazy dog and then sleeps soundly.\n"], ['one line', 'word ' x 14], ['bad bytes', "ab\xFF\n" x 16]) {
        my ($name, $piece) = @$case;
        my $times = int(($mib << 20) / length($piece));
        open my $out, '>:raw', "$dir/big.txt" or die $!;
        my $block = $piece x 10_000;
        print $out $block for 1 .. $times / 10_000;
        close $out or die $!;
        my $ran = run(['sh', '-c', '"$0" --max-memory 96 <"$1" | tail -c +23 | wc -c', $program, "$dir/big.txt"]);
        my $expected = (-s "$dir/big.txt") + ($name eq 'bad bytes' ? (-s _) / 4 : 0);
        is $ran->{err}, '', "$mib MB, $name";
        is $ran->{out} + 0, $expected, 'all of it';
        cmp_ok $ran->{seconds}, '<', 20, "in $ran->{seconds} s";
    }
    unlink "$dir/big.txt";
    my @page = map { my $line = $_; map { [60 + 260 * $_, 720 - 14 * $line, "Line $line of a column with some words in it."] } 0, 1 } 0 .. 39;
    my $got = extract(pdf_pages([map { [[60, 760, "Page $_"], @page] } 1 .. 500]));
    is $got->{head}{pages}, 500, 'a PDF of 500 pages';
    like $got->{text}, qr/^Page 500$/m, 'to the last one';
    cmp_ok $got->{seconds}, '<', asan() ? 25 : 5, "in $got->{seconds} s";
};

# The manual names all codes and options.
subtest 'manual' => sub {
    my $manual = slurp('man/exedra-extract.8');
    my ($table) = slurp('src/extract/job.c') =~ /names\[N_REFUSALS\] = \{(.*?)\};/s;
    my @codes = grep { $_ ne '' } $table =~ /"(\w*)"/g;
    my ($section) = $manual =~ /^\.Sh REFUSALS\n(.*?)^\.Sh /ms;
    is_deeply [sort $section =~ /^\.It Sy (\w+)$/mg], [sort @codes], 'codes';
    my %in_manual = map { $_ => 1 } $manual =~ /\bFl -([a-z][a-z-]*)/g;
    my %in_help = map { $_ => 1 } run([$program, '--help'])->{out} =~ /--([a-z][a-z-]*)/g;
    is_deeply [sort keys %in_manual], [sort keys %in_help], 'options';
};

done_testing;
