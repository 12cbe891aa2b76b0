/* Has room for a thousand travellers only, and checks. */
#include <stdio.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

int main(void) {
    int n, w, a[1000];
    if (scanf("%d %d", &n, &w) != 2) return 1;
    if (n > 1000) abort();
    for (int i = 0; i < n; i++)
        if (scanf("%d", &a[i]) != 1) return 1;
    qsort(a, n, sizeof *a, ascending);
    int light = 0, heavy = n - 1, trips = 0;
    for (; light <= heavy; heavy--, trips++)
        if (light < heavy && a[light] <= w - a[heavy]) light++;
    printf("%d\n", trips);
}
