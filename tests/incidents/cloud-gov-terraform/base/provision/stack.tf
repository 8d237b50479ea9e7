variable "region" {
  default = "us-gov-west-1"
}

data "aws_prefix_list" "s3_gw_cidrs" {
  name = "com.amazonaws.${var.region}.s3"
}
