# Only here.
locals {
  from = "192.0.2.0/24"
}
resource "aws_security_group" "web" {
  name = "www"
  ingress {
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = [local.from, "198.51.100.0/24"]
  }
}
