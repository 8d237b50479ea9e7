data "aws_ip_ranges" "s3" {
  regions  = ["us-gov-west-1"]
  services = ["s3"]
}

data "aws_caller_identity" "me" {}

provider "aws" {
  region = "us-gov-west-1"
}

resource "aws_security_group" "a" {
  egress {
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = [data.aws_ip_ranges.s3.cidr_blocks[0], data.aws_ip_ranges.s3.cidr_blocks[1]]
  }
}

resource "aws_s3_bucket" "logs" {
  bucket = "logs-${data.aws_caller_identity.me.account_id}"
}

module "vpc" {
  source  = "terraform-aws-modules/vpc/aws"
  version = "5.0.0"
}

moved {
  from = aws_security_group.old
  to   = aws_security_group.a
}
