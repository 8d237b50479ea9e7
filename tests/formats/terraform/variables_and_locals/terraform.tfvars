ports = ["8080", 8443] // not those of the default
open  = false
hosts = {
  a = { address = "192.0.2.1" }
  b = { address = "198.51.100.0", port = 4500 }
}
absent = 1
