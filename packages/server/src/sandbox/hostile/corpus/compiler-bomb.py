# Few lines that a compiler works on for ever, or turns into gigabytes.
# expect: held out-of-memory cpu-limit wall-limit signal
import subprocess
bombs = {
    'output.c': 'int main[-1u]={1};',
    'include.c': '#include __FILE__\n#include __FILE__\n',
    'device.c': '#include "/dev/zero"\n',
    'macros.c': '#define a "xxxxxxxx"\n' + ''.join(f'#define {chr(98 + i)} {chr(97 + i) * 8}\n'.replace(chr(97 + i) * 8, ' '.join([chr(97 + i)] * 8)) for i in range(12)) + 'char *x = m;\n',
}
for name, text in bombs.items():
    with open(name, 'w') as file:
        file.write(text)
    subprocess.run(['gcc', '-c', name, '-o', '/tmp/out.o'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
