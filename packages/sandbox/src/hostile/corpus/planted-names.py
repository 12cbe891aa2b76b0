# Names that mean something to a shell, a terminal or a parser.
# expect: held
# after: collect tree
import os
os.mkdir('tree')
for name in (b'-rf', b'--help', b'a\nb', b'\x1b[2J', b'$(reboot)', b'\\..\\..\\x', b'%2e%2e%2f', b'x' * 255, b'"', b"'", b' ', b'\xff\xfe'):
    with open(b'tree/' + name, 'w') as file:
        file.write('x')
