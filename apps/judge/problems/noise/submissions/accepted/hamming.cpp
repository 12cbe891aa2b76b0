#include <iostream>
#include <string>

int main() {
    std::string task, bits, out;
    std::cin >> task >> bits;
    const int data[] = {3, 5, 6, 7};
    const auto parity = [](const int *block) {
        int error = 0;
        for (int i = 1; i < 8; i++)
            if (block[i]) error ^= i;
        return error;
    };
    const size_t step = task == "send" ? 4 : 7;
    for (size_t start = 0; start < bits.size(); start += step) {
        int block[8] = {};
        if (task == "send") {
            for (int i = 0; i < 4; i++) block[data[i]] = bits[start + i] - '0';
            const int error = parity(block);
            for (int i : {1, 2, 4}) block[i] = (error & i) != 0;
            for (int i = 1; i < 8; i++) out += char('0' + block[i]);
        } else {
            for (int i = 1; i < 8; i++) block[i] = bits[start + i - 1] - '0';
            if (const int error = parity(block)) block[error] ^= 1;
            for (int i : data) out += char('0' + block[i]);
        }
    }
    std::cout << out << "\n";
}
