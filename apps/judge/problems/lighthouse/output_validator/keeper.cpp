// The keeper: answers questions, and judges the final word.
#include <fstream>
#include <iostream>
#include <string>

namespace {

std::ofstream judge;

[[noreturn]] void reject(const std::string &why) {
    judge << why << "\n";
    judge.close();
    std::exit(43);
}

long long buoy(long long n) {
    long long b;
    if (!(std::cin >> b)) reject("a number is missing");
    if (b < 1 || b > n) reject("buoy " + std::to_string(b) + " does not exist");
    return b;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 4) return 1;
    std::ifstream input(argv[1]);
    judge.open(std::string(argv[3]) + "judgemessage.txt", std::ios::app);
    long long n, ship;
    if (!(input >> n >> ship)) return 1;
    std::cout << n << std::endl;
    for (int questions = 0;;) {
        char what;
        if (!(std::cin >> what)) reject("the output ended without an answer");
        if (what == '!') {
            long long b = buoy(n);
            if (b != ship) reject("the ship is at " + std::to_string(ship) + ", not at " + std::to_string(b));
            std::string more;
            if (std::cin >> more) reject("there is output after the answer");
            judge << questions << " questions\n";
            judge.close();
            return 42;
        }
        if (what != '?') reject("neither a question nor an answer");
        if (++questions > 30) reject("more than 30 questions");
        long long b = buoy(n);
        std::cout << (b < ship ? "further" : b > ship ? "nearer" : "here") << std::endl;
    }
}
