#include <algorithm>
#include <iostream>
#include <vector>

int main() {
    std::ios::sync_with_stdio(false);
    std::cin.tie(nullptr);
    int n, w;
    std::cin >> n >> w;
    std::vector<int> a(n);
    for (int &x : a) std::cin >> x;
    std::sort(a.begin(), a.end());
    int light = 0, heavy = n - 1, trips = 0;
    for (; light <= heavy; --heavy, ++trips)
        if (light < heavy && a[light] <= w - a[heavy]) ++light;
    std::cout << trips << "\n";
}
