#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# Compares docs/*.3 with include/*.h: each function is in the SYNOPSIS of one page, with the header's
# prototype; each struct is shown in one page, followed by a list of its members; each constant is
# named.
#   tests/manual.pl                 print the differences; status 1 if there are any
#   tests/manual.pl --update        rewrite the prototypes and structs of the pages
#   tests/manual.pl --examples DIR  write each example to DIR/PAGE-NUMBER.c
use strict;
use warnings;

my $failed = 0;
my (%prototype, %header_of, %struct, %constant);

sub fail {
	print 'not ok - ', @_, "\n";
	$failed = 1;
}

sub slurp {
	my ($path) = @_;
	local $/;
	open(my $file, '<', $path) or die "cannot open $path: $!\n";
	return <$file>;
}

# One line with one blank between words and none next to punctuation.
sub squeeze {
	my ($text) = @_;
	$text =~ s/\s+/ /g;
	$text =~ s/ ?([*(){};,]) ?/$1/g;
	$text =~ s/^ | $//g;
	return $text;
}

sub read_header {
	my ($path) = @_;
	my $text = slurp($path);
	$text =~ s{/\*.*?\*/}{}gs;
	$constant{$1} = 1 while $text =~ /^#define (MORTISE_\w+)(?:\([^)]*\))?[ \t]+\S/gm;
	$text =~ s/^#(?:.*\\\n)*.*\n//gm;
	$text =~ s/extern "C" \{//;
	while ($text =~ s/^(struct (mortise_\w+) (\{(?:[^{}]++|(?3))*\});\n)//m) {
		my ($name, $lines) = ($2, $1);
		$lines =~ s/[ \t]+$//gm;
		$lines =~ s/\n\n+/\n/g;
		$struct{$name} = $lines;
	}
	while ($text =~ s/^enum mortise_\w+ \{([^}]*)\};//m) {
		my $list = $1;
		$constant{$1} = 1 while $list =~ /\b(MORTISE_\w+)/g;
	}
	for my $declaration (split /;/, $text) {
		$declaration =~ s/\bMORTISE_MUST_CHECK\b//;
		$declaration =~ s/\s+/ /g;
		next unless $declaration =~ /^ ?(.*?)\b(mortise_\w+) ?\((.*)\) ?$/;
		my ($type, $name, $parameters) = ($1, $2, $3);
		$type =~ s/ $//;
		$prototype{$name} = [$type, split /, /, $parameters];
		($header_of{$name} = $path) =~ s{.*/}{};
		# Callers include mortise.h for it.
		$header_of{$name} = 'mortise.h' if $header_of{$name} eq 'mortise-base.h';
	}
}

sub members {
	my ($text) = @_;
	my @names;
	$text =~ s/^[^{]*\{//;
	# The members of an inner struct count, and its own name.
	$text =~ s/\bstruct \{/;/g;
	$text =~ s/\}(?=\s*\w)/; int /g;
	for my $member (split /;/, $text) {
		push @names, $1 if $member =~ /\(\*(\w+)\)/ || $member =~ /(\w+)(?:\[\w+\s*(?:\+ \d+)?\])*\s*$/;
	}
	return @names;
}

sub mdoc_prototype {
	my ($name) = @_;
	my ($type, @parameters) = @{ $prototype{$name} };
	return join '', ".Ft \"$type\"\n", ".Fo $name\n", map({ ".Fa \"$_\"\n" } @parameters), ".Fc\n";
}

my $prototypes = qr/(?:^\.Ft (.*)\n)?^\.Fo (mortise_\w+)\n((?:^\.Fa .*\n)*)^\.Fc\n/m;
my $structs = qr/^(struct (mortise_\w+) \{\n.*?^?\};\n)/ms;

sub update {
	my ($path) = @_;
	my $text = my $old = slurp($path);
	$text =~ s{$prototypes}{ $prototype{$2} ? mdoc_prototype($2) : $& }ge;
	$text =~ s{$structs}{ $struct{$2} // $1 }ge;
	return if $text eq $old;
	open(my $file, '>', $path) or die "cannot write $path: $!\n";
	print $file $text;
	close($file) or die "cannot write $path: $!\n";
}

sub examples {
	my ($path, $directory) = @_;
	my ($page) = $path =~ m{([^/]*)$};
	my ($section) = slurp($path) =~ /^\.Sh EXAMPLES\n(.*?)^\.Sh /ms
		or die "$path has no examples\n";
	my $number = 0;
	while ($section =~ /^\.Bd -literal\n(.*?)^\.Ed\n/msg) {
		my $code = $1;
		$code =~ s/\\e/\\/g;
		$code =~ s/\\&//g;
		$number++;
		open(my $file, '>', "$directory/$page-$number.c") or die "cannot write $directory: $!\n";
		print $file $code;
	}
	die "$path: no code in EXAMPLES\n" unless $number;
}

my (%page_of, %shown_in, %named, %names);

sub check {
	my ($path) = @_;
	my $text = slurp($path);
	my ($page) = $path =~ m{([^/]*)\.3$};
	my ($name_section) = $text =~ /^\.Sh NAME\n(.*?)^\.Sh /ms;
	my ($synopsis, $body) = $text =~ /^\.Sh SYNOPSIS\n(.*?)(^\.Sh .*)/ms;
	my %listed = map { $_ => 1 } $name_section =~ /^\.Nm (\w+)/mg;

	$names{$_} = 1 for keys %listed;
	fail("$path: the first name is not $page") unless $name_section =~ /\A\.Nm \Q$page\E\b/;
	while ($synopsis =~ /$prototypes/g) {
		my ($type, $name, $parameters) = ($1, $2, $3);
		my $written = squeeze(sprintf '%s %s(%s)', ($type // '') =~ s/"//gr, $name,
			join ', ', $parameters =~ /^\.Fa "?(.*?)"?$/mg);
		fail("$name is in $page_of{$name} and in $path") if $page_of{$name};
		$page_of{$name} = $path;
		if (!$prototype{$name}) {
			fail("$path: no header declares $name");
			next;
		}
		my ($declared, @declared) = @{ $prototype{$name} };
		$declared = squeeze(sprintf '%s %s(%s)', $declared, $name, join ', ', @declared);
		fail("$path: $written\n  $header_of{$name}: $declared") if $written ne $declared;
		fail("$path: $name is not in NAME") unless delete $listed{$name};
		fail("$path: $name is in <$header_of{$name}>") unless $synopsis =~ /^\.In \Q$header_of{$name}\E$/m;
		fail("$path does not describe $name") unless $body =~ /^\.(?:It )?Fn $name\b/m;
	}
	delete $listed{$page};
	fail("$path: not in SYNOPSIS: $_") for sort keys %listed;
	while ($body =~ /$structs(.*?)(?=^\.S[sh] |^struct mortise_\w+ \{|\z)/msg) {
		my ($lines, $name, $list) = ($1, $2, $3);
		fail("struct $name is in $shown_in{$name} and in $path") if $shown_in{$name};
		$shown_in{$name} = $path;
		if (!$struct{$name}) {
			fail("$path: no header defines struct $name");
			next;
		}
		fail("$path: struct $name differs from the header's") if squeeze($lines) ne squeeze($struct{$name});
		for my $member (members($struct{$name})) {
			fail("$path does not describe $member of struct $name")
				unless $member eq 'struct_size' || $list =~ /^\.It (?:Va \w+ , )*Va $member\b/m;
		}
	}
	$text =~ s/^\.Dt .*//m;
	$named{$1} = 1 while $text =~ /\b(MORTISE_\w+)\b/g;
}

chdir(($0 =~ m{(.*)/})[0] . '/..') or die "cannot enter the tree: $!\n";
my @pages = sort glob('docs/*.3');
read_header($_) for sort glob('include/*.h');
if (@ARGV && $ARGV[0] eq '--update') {
	update($_) for @pages;
} elsif (@ARGV && $ARGV[0] eq '--examples') {
	examples($_, $ARGV[1]) for @pages;
	exit 0;
}
check($_) for @pages;
for my $name (sort keys %prototype) {
	fail("no page in docs/ has $name") unless $page_of{$name};
}
for my $name (sort keys %struct) {
	fail("no page in docs/ shows struct $name") unless $shown_in{$name};
}
for my $name (sort keys %constant) {
	fail("no page in docs/ names $name") unless $named{$name};
}
for my $name (sort keys %named) {
	fail("docs/ names $name, which no header defines") unless $constant{$name};
}
# Each reference to a page of this tree leads to a page or to one of the names in it.
for my $path (@pages, glob('docs/*.[58]')) {
	my $text = slurp($path);
	while ($text =~ /^\.(?:It )?Xr (mortise\S*) (\d)/mg) {
		fail("$path refers to $1($2)") unless -e "docs/$1.$2" || ($2 eq '3' && $names{$1});
	}
}
exit $failed;
