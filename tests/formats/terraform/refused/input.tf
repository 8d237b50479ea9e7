resource "aws_security_group" "a" {
  name = local.absent

  dynamic "ingress" {
    for_each = [80]
    protocol = "tcp"
  }

  egress {
    protocol    = "tcp"
    from_port   = [1][2]
    to_port     = 80
    cidr_blocks = [cidrsubnet("10.0.0.0/8", 30, 0)]
  }
}

resource "aws_security_group" "a" {}

resource "aws_security_group" "b" {
  for_each = ["x"]
}

resource "aws_security_group" "c" {
  count = each.key
}

locals {
  one   = local.other
  other = local.one
}

resource "aws_security_group" "d" {
  name = local.one
}

nonsense "x" {}
