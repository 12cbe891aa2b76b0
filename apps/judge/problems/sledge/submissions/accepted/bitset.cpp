#include <bitset>
#include <iostream>

int main() {
    int n, w;
    std::cin >> n >> w;
    static std::bitset<{{max_w}} + 1> reachable;
    reachable[0] = true;
    for (int i = 0, x; i < n; i++) {
        std::cin >> x;
        reachable |= reachable << x;
    }
    int best = w;
    while (!reachable[best]) best--;
    std::cout << best << "\n";
}
