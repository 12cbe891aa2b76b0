# The same over IPv6, also with IPv4-mapped addresses.
# expect: held
import os, socket
port = int(os.environ['CANARY_PORT'])
escaped = False
for address in ('::1', '::ffff:127.0.0.1', '::ffff:172.17.0.1', 'fe80::1', 'ff02::1'):
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as connection:
            connection.settimeout(0.1)
            connection.connect((address, port))
            print('ESCAPED:', address)
            escaped = True
    except OSError:
        pass
raise SystemExit(int(escaped))
