#include <stdio.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

int main(void) {
    int n, w;
    if (scanf("%d %d", &n, &w) != 2) return 1;
    int *a = malloc(n * sizeof *a);
    for (int i = 0; i < n; i++)
        if (scanf("%d", &a[i]) != 1) return 1;
    qsort(a, n, sizeof *a, ascending);
    int light = 0, heavy = n - 1, trips = 0;
    for (; light <= heavy; heavy--, trips++)
        if (light < heavy && a[light] <= w - a[heavy]) light++;
    printf("%d\n", trips);
    free(a);
}
