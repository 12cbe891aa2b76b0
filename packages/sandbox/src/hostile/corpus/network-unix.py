# Abstract sockets have no file; they belong to the network namespace.
# expect: held
import os, socket
escaped = False
for address in ('\0' + os.environ['CANARY_SOCKET'], '/var/run/docker.sock', '/run/docker.sock', '/run/dbus/system_bus_socket'):
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(address)
            print('ESCAPED:', repr(address))
            escaped = True
    except OSError:
        pass
raise SystemExit(int(escaped))
