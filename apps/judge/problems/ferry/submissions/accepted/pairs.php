<?php
[$n, $w] = array_map('intval', explode(' ', trim(fgets(STDIN))));
$a = array_map('intval', preg_split('/\s+/', trim(stream_get_contents(STDIN))));
sort($a);
$light = $trips = 0;
for ($heavy = $n - 1; $light <= $heavy; $heavy--, $trips++) {
    if ($light < $heavy && $a[$light] + $a[$heavy] <= $w) {
        $light++;
    }
}
echo $trips, "\n";
