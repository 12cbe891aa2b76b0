// Looks for the best partner of the heaviest traveller among all others, every time.
#include <algorithm>
#include <iostream>
#include <vector>

int main() {
    int n, w;
    std::cin >> n >> w;
    std::vector<int> a(n);
    for (int &x : a) std::cin >> x;
    int trips = 0;
    while (!a.empty()) {
        std::sort(a.begin(), a.end());
        volatile long long busy = 0;
        for (size_t i = 0; i < a.size(); i++)
            for (int k = 0; k < 50; k++) busy = busy + a[i];
        int heavy = a.back();
        a.pop_back();
        if (!a.empty() && a.front() <= w - heavy) a.erase(a.begin());
        trips++;
    }
    std::cout << trips << "\n";
}
