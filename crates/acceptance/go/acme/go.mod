module boxyard.example/acme

go 1.24
