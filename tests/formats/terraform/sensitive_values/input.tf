variable "peer" {
  default   = "peer"
  sensitive = true
}

resource "aws_security_group" "a" {
  ingress {
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_blocks = [var.peer]
  }
}
