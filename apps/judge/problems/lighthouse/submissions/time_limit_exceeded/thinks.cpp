// Reads, and then never comes to a conclusion.
#include <iostream>

int main() {
    long long n;
    std::cin >> n;
    for (volatile unsigned long long i = 0;; i = i + 1) {
    }
}
