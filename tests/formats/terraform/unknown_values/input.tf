variable "office" {}
variable "create" {}
variable "peers" { type = list(string) }

resource "aws_security_group" "a" {
  count = var.create ? 1 : 0

  ingress {
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_blocks = concat(["10.0.0.0/8"], var.office)
  }

  dynamic "ingress" {
    for_each = var.peers
    content {
      protocol    = "tcp"
      from_port   = 179
      to_port     = 179
      cidr_blocks = [ingress.value]
    }
  }
}

resource "aws_security_group" "b" {
  egress {
    protocol    = "udp"
    from_port   = 53
    to_port     = 53
    cidr_blocks = [cidrsubnet(var.office[0], 8, 1)]
  }

  egress {
    protocol    = "tcp"
    from_port   = terraform.workspace == "prod" ? 443 : 80
    to_port     = 443
    cidr_blocks = ["192.0.2.0/24"]
  }

  ingress {
    protocol        = "tcp"
    from_port       = 80
    to_port         = 80
    security_groups = aws_security_group.a[*].id
  }
}
