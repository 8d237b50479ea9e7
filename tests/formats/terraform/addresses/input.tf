resource "aws_vpc" "main" {
  cidr_block = "10.30.0.0/16"
}

resource "aws_security_group" "a" {
  vpc_id = aws_vpc.main.id

  ingress {
    protocol    = "tcp"
    from_port   = 5432
    to_port     = 5432
    cidr_blocks = [aws_vpc.main.cidr_block, aws_vpc.main.ipv6_cidr_block]
    self        = true
  }

  lifecycle {
    ignore_changes = [egress]
  }

  egress {
    protocol    = "tcp"
    from_port   = 1
    to_port     = 1
    cidr_blocks = ["198.51.100.9/32"]
  }
}
