# Searches for the host's listener under every address that it might have.
# expect: held
import os, socket
port = int(os.environ['CANARY_PORT'])
escaped = False
for address in ('127.0.0.1', '127.0.0.53', '0.0.0.0', '10.0.2.2', '172.17.0.1', '192.168.0.1', '169.254.169.254', '1.1.1.1'):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            with socket.socket(socket.AF_INET, kind) as connection:
                connection.settimeout(0.1)
                connection.connect((address, port))
                connection.send(b'here')
                if kind == socket.SOCK_STREAM:
                    print('ESCAPED:', address)
                    escaped = True
        except OSError:
            pass
raise SystemExit(int(escaped))
