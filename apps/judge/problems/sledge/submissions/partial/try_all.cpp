// Tries every choice: enough for the first group only.
#include <iostream>
#include <vector>

int n, w, best;
std::vector<int> a;

void choose(int i, int load) {
    if (load > w) return;
    if (load > best) best = load;
    for (int j = i; j < n; j++) choose(j + 1, load + a[j]);
}

int main() {
    std::cin >> n >> w;
    a.resize(n);
    for (int &x : a) std::cin >> x;
    choose(0, 0);
    std::cout << best << "\n";
}
