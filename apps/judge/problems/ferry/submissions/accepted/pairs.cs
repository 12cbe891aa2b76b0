using System;

static class Pairs {
    static void Main() {
        var first = Console.ReadLine().Split(' ');
        long w = long.Parse(first[1]);
        var a = Array.ConvertAll(Console.ReadLine().Trim().Split(' '), long.Parse);
        Array.Sort(a);
        int light = 0, trips = 0;
        for (int heavy = a.Length - 1; light <= heavy; heavy--, trips++) {
            if (light < heavy && a[light] + a[heavy] <= w) light++;
        }
        Console.WriteLine(trips);
    }
}
