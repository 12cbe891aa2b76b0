use strict;
use warnings;

my (undef, $w) = split ' ', <STDIN>;
my @a = sort { $a <=> $b } split ' ', <STDIN>;
my ($light, $heavy, $trips) = (0, $#a, 0);
while ($light <= $heavy) {
    $light++ if $light < $heavy && $a[$light] + $a[$heavy] <= $w;
    $heavy--;
    $trips++;
}
print "$trips\n";
