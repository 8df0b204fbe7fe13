"""Takes host and port from the environment."""
import os, socket

s = socket.create_server((os.environ["HOST"], int(os.environ["PORT"])))
print(os.environ["GREETING"])
while True:
    s.accept()
