module boxyard.example/shown

go 1.24
