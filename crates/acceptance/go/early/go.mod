module boxyard.example/early

go 1.24
